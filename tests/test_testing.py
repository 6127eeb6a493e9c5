"""weightbridge.testing: what passes, what fails with which text, and the pytest plugin around it."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from report_samples import write_keras

import weightbridge as wb
from weightbridge.errors import UsageError
from weightbridge.testing import assert_equivalent, assert_transferred


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a.keras, its copy, one with other values, and deep.keras with a layer more and the same values."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
    (tmp_path / "copy.keras").write_bytes((tmp_path / "a.keras").read_bytes())
    write_keras(tmp_path / "other.keras", (4, 3, 2), ("first", "second"), seed=2)
    write_keras(tmp_path / "renamed.keras", (4, 3, 2), ("one", "two"), seed=1)
    write_keras(tmp_path / "deep.keras", (4, 3, 2, 5), ("first", "second", "third"), seed=1)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("copy.keras", {}),
        ("renamed.keras", {}),
        ("deep.keras", {"fresh": "third/*"}),
        ("deep.keras", {"fresh": ["third/*"], "min_exact": 0.5}),
    ],
    ids=["copy", "renamed", "fresh", "exact enough"],
)
def test_weights_that_have_arrived(target: str, options: dict[str, Any]) -> None:
    report = assert_transferred("a.keras", target, **options)
    assert report.ok
    tensors = report.verification.evidence["tensors"]
    assert tensors["identical"] == tensors["matched"] == 4


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("other.keras", {}, "4 tensors of the target do not hold what the source gives them: first/kernel"),
        ("deep.keras", {}, "WB202"),
        ("deep.keras", {"fresh": "third/*", "min_exact": 0.9}, "WB207"),
    ],
    ids=["other values", "not declared", "not exact enough"],
)
def test_weights_that_have_not(target: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError) as raised:
        assert_transferred("a.keras", target, **options)
    text = str(raised.value)
    assert said in text
    assert text.splitlines()[1].startswith("FAIL check")
    assert len(text.splitlines()) <= 46


def test_one_value_is_enough(models: Path) -> None:
    from weightbridge.formats import read

    target = read("copy.keras").tensors[2]
    data = (models / "copy.keras").read_bytes()
    value = target.load().tobytes()
    assert data.count(value) == 1
    (models / "copy.keras").write_bytes(data.replace(value, bytes([value[0] ^ 1]) + value[1:]))
    try:
        report = wb.check("a.keras", "copy.keras")
    except wb.WeightbridgeError:
        pytest.skip("the file has a checksum")  # then it cannot be changed in silence either
    assert report.ok
    with pytest.raises((AssertionError, wb.WeightbridgeError)):
        assert_transferred("a.keras", "copy.keras")


def test_a_plan_and_a_policy(models: Path) -> None:
    wb.plan("a.keras", "deep.keras", fresh=["third/*"]).save("plan.json")
    assert assert_transferred("a.keras", "deep.keras", plan="plan.json").ok
    policy = 'schema = 1\nfail_on = "warning"\n'
    (models / "strict.toml").write_text(policy)
    assert assert_transferred("deep.keras", "a.keras").verdict == "warn"
    with pytest.raises(AssertionError, match="WB203"):
        assert_transferred("deep.keras", "a.keras", policy="strict.toml")
    (models / "weightbridge.toml").write_text(policy)
    with pytest.raises(AssertionError, match="WB203"):
        assert_transferred("deep.keras", "a.keras")
    assert assert_transferred("deep.keras", "a.keras", unused="third/*").verdict == "pass"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: assert_transferred("a.keras", "copy.keras", min_exact=80), "min_exact=80"),
        (lambda: assert_transferred("a.keras", "copy.keras", fresh="nope*"), "nope"),
        (lambda: assert_transferred("a.keras", "copy.keras", policy="nope.toml"), "No such file"),
        (lambda: assert_equivalent("a.keras", "copy.keras", evidence="some"), "evidence"),  # type: ignore[arg-type]
        (lambda: assert_equivalent("a.keras", "copy.keras", until="frist"), "Did you mean 'first'"),
    ],
)
def test_wrong_arguments(call: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call()


@pytest.mark.framework
def test_models_that_compute_the_same() -> None:
    assert assert_equivalent("a.keras", "renamed.keras", evidence="quick").ok
    with pytest.raises(AssertionError, match="WB401"):
        assert_equivalent("a.keras", "other.keras", evidence="quick")


@pytest.mark.framework
def test_the_same_up_to_a_layer(models: Path) -> None:
    write_keras(models / "grown.keras", (4, 3, 7), ("first", "second"), seed=1)
    with pytest.raises(AssertionError, match="WB504"):
        assert_equivalent("a.keras", "grown.keras", evidence="quick")
    report = assert_equivalent("a.keras", "grown.keras", until="first", evidence="quick")
    assert [layer["target"] for layer in report.verification.layers] == ["first"]
    assert {output["name"] for output in report.verification.outputs} == {"first"}
    assert assert_equivalent("a.keras", "renamed.keras", until="two", evidence="quick").ok
    assert assert_equivalent("a.keras", "renamed.keras", until=("first", "one"), evidence="quick").ok
    with pytest.raises(AssertionError, match="WB401"):
        assert_equivalent("a.keras", "other.keras", until="first", evidence="quick")


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_the_same_up_to_a_pool_in_another_format() -> None:
    import keras
    import numpy as np

    layers = keras.layers
    image = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="first")(image)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(3, name="head")(x))
    model.predict(np.zeros((1, 8, 8, 2)), verbose=0)
    model.export("model.onnx", format="onnx", verbose=False)
    head = model.get_layer("head")
    head.set_weights([weight + 1 for weight in head.get_weights()])
    assert assert_equivalent(model, "model.onnx", until="pool", evidence="quick").ok
    with pytest.raises(AssertionError, match="WB401"):
        assert_equivalent(model, "model.onnx", evidence="quick")


PLUGIN = """
from weightbridge.testing import assert_transferred

def test_arrived(weightbridge_report):
    report = assert_transferred("a.keras", "copy.keras")
    weightbridge_report(report)

def test_twice():
    assert_transferred("a.keras", "copy.keras")
    assert_transferred("deep.keras", "a.keras")

def test_lost():
    assert_transferred("a.keras", "other.keras")

def test_nothing():
    pass
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        *options,
    )
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_plugin(models: Path) -> None:
    (models / "test_it.py").write_text(PLUGIN)
    done = run(models, "--weightbridge-report=out/reports", "--junit-xml=junit.xml")
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "E           FAIL check" in done.stdout or "FAIL check" in done.stdout
    names = sorted(path.name for path in (models / "out" / "reports").iterdir())
    assert names == [
        f"test_it.py-{test}.{format}"
        for test in ("test_arrived", "test_lost", "test_twice-2", "test_twice")
        for format in ("html", "json")
    ]
    lost = json.loads((models / "out" / "reports" / "test_it.py-test_lost.json").read_text())
    assert lost["verdict"] == "fail"
    cases = {case.attrib["name"]: case for case in ET.parse(models / "junit.xml").iter("testcase")}
    properties = [(p.attrib["name"], p.attrib["value"]) for p in cases["test_arrived"].iter("property")]
    assert properties == 2 * [
        ("weightbridge_verdict", "pass"),
        ("weightbridge_exact", "1.0000"),
        ("weightbridge_errors", "0"),
        ("weightbridge_warnings", "0"),
    ]
    assert not list(cases["test_twice"].iter("property"))


def test_the_plugin_has_a_policy(models: Path) -> None:
    (models / "strict.toml").write_text('fail_on = "warning"\n')
    (models / "pytest.ini").write_text("[pytest]\nweightbridge_policy = strict.toml\n")
    (models / "test_it.py").write_text(PLUGIN)
    done = run(models)
    assert "2 failed, 2 passed" in done.stdout
    assert "FAILED test_it.py::test_twice" in done.stdout
    (models / "strict.toml").unlink()
    assert "3 failed, 1 passed" in run(models).stdout
    assert not (models / "out").exists()


def test_names_of_tests_are_told_apart() -> None:
    from weightbridge.pytest import _name

    tests = (
        "a.py::test[x/y]",
        "a.py::test[x:y]",
        "a.py::test[x-y]",
        "a.py::test" + "x" * 300,
        "../../a.py::t[..]",
    )
    names = [_name(test, 1) for test in tests]
    assert len(set(names)) == len(names)
    assert all(len(name) < 170 and "/" not in name and not name.startswith(".") for name in names)


def test_the_plugin_imports_next_to_nothing() -> None:
    heavy = "('numpy', 'h5py', 'click', 'rich')"
    code = f"import sys, weightbridge.pytest; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
