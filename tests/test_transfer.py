"""Transfer: one tensor at a time into a file that is whole or absent, whatever ends the process or fills the
disk.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from keras_files import dense_config, write_keras, write_legacy, write_weights
from onnx_samples import saved
from report_samples import write_keras as write_dense

import weightbridge as wb
from weightbridge.errors import OutputError, UsageError
from weightbridge.formats.safetensors.file import write_new
from weightbridge.model.tensors import Tensor

ROOT = Path(__file__).resolve().parent.parent
RUN = [sys.executable, "-c", "from weightbridge.cli import main; main()"]


def state(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A safetensors file."""
    write_new(
        path, [Tensor(name, "", a.shape, a.dtype.name, name, lambda a=a: a) for name, a in arrays.items()]
    )
    return path


def values(path: Path) -> dict[str, np.ndarray]:
    return {t.name: t.load() for t in wb.read(path).tensors}


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return (
        write_dense(tmp_path / "source.keras", (4, 3, 2), ("a", "b"), seed=1),
        write_dense(tmp_path / "target.keras", (4, 3, 2), ("a", "b"), seed=2),
    )


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("f4")


def groups(seed: int) -> dict[str, Any]:
    return {"layers/dense": ("head", (numbers(4, 3, seed=seed), numbers(3, seed=seed)))}


def onnx(path: Path, seed: int) -> Path:
    """`head`: a Gemm."""
    tensors = {"head.weight": numbers(3, 4, seed=seed), "head.bias": numbers(3, seed=seed)}
    return saved(
        path, [("Gemm", ["x", *tensors], ["y"], {"transB": 1})], tensors, {"x": ["n", 4]}, {"y": ["n", 3]}
    )


def makers(folder: Path, seed: int) -> dict[str, Path]:
    """The same Dense layer in every format that is written."""
    legacy = {"head": {"head/kernel:0": numbers(4, 3, seed=seed), "head/bias:0": numbers(3, seed=seed)}}
    made = folder / str(seed)
    made.mkdir()
    return {
        ".keras": write_keras(made / "m.keras", dense_config(), groups(seed)),
        ".weights.h5": write_weights(made / "m.weights.h5", groups(seed)),
        ".h5": write_legacy(made / "m.h5", legacy, dense_config()),
        ".safetensors": state(
            made / "m.safetensors",
            {"head.weight": numbers(3, 4, seed=seed), "head.bias": numbers(3, seed=seed)},
        ),
        ".onnx": onnx(made / "m.onnx", seed),
    }


FORMATS = (".keras", ".weights.h5", ".h5", ".safetensors", ".onnx")


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gets_the_source_bit_by_bit_and_nothing_else_changes(
    tmp_path: Path, suffix: str
) -> None:
    source, target = makers(tmp_path, 1)[suffix], makers(tmp_path, 2)[suffix]
    before = source.read_bytes(), target.read_bytes()
    output = tmp_path / f"output{suffix}"
    report = wb.transfer(source, target, output=output, verify=False)
    assert report.exit_code == 0
    assert report.verification.evidence["read_back"] == 2
    assert {n: a.tobytes() for n, a in values(output).items()} == {
        n: a.tobytes() for n, a in values(source).items()
    }
    assert wb.read(output).layers[-1].attributes == wb.read(target).layers[-1].attributes
    assert (source.read_bytes(), target.read_bytes()) == before
    assert left(tmp_path) == ["1", "2", f"output{suffix}"]


def test_the_same_transfer_gives_the_same_bytes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("one.keras", "two.keras"):
        wb.transfer(*pair, output=tmp_path / name, verify=False)
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


@pytest.mark.parametrize(
    ("output", "error", "said"),
    [
        ("out.pth", UsageError, "no writer for 'out.pth'"),
        ("out", UsageError, "no writer for 'out'"),
        ("old.keras", UsageError, "exists already"),
        ("folder.keras", UsageError, "is a folder"),
        ("link_to_folder.keras", UsageError, "is a folder"),
        ("link_to_device.keras", UsageError, "is no ordinary file"),
        ("loop.keras", OutputError, "a link that leads nowhere"),
        ("none/out.keras", OutputError, "does not exist"),
        ("old.keras/out.keras", OutputError, "does not exist"),
        ("x" * 250 + ".keras", OutputError, "cannot be written"),
        ("source.keras", UsageError, "is a model of this command"),
        ("target.keras", UsageError, "is a model of this command"),
        ("link_to_target.keras", UsageError, "is a model of this command"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True], ids=["", "overwrite"])
def test_what_cannot_be_output_is_refused_at_once(
    pair: tuple[Path, Path], tmp_path: Path, output: str, error: type[Exception], said: str, overwrite: bool
) -> None:
    (tmp_path / "old.keras").write_text("old")
    (tmp_path / "folder.keras").mkdir()
    for name, place in {"folder": "folder.keras", "device": "/dev/null", "target": "target.keras"}.items():
        (tmp_path / f"link_to_{name}.keras").symlink_to(place)
    (tmp_path / "loop.keras").symlink_to("loop.keras")
    if overwrite and said == "exists already":
        pytest.skip("this is what --overwrite allows")
    before = left(tmp_path)
    with pytest.raises(error, match=said):
        wb.transfer(*pair, output=tmp_path / output, overwrite=overwrite, verify=False)
    assert left(tmp_path) == before
    assert (tmp_path / "old.keras").read_text() == "old"


def test_an_old_output_is_replaced_when_that_is_asked_for(pair: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "output.keras"
    output.write_text("old")
    assert wb.transfer(*pair, output=output, overwrite=True, verify=False).exit_code == 0
    assert (values(output)["a/kernel"] == values(pair[0])["a/kernel"]).all()


def test_a_link_stays_and_what_it_points_to_is_replaced(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, real = tmp_path / "link.keras", tmp_path / "there" / "real.keras"
    link.symlink_to(real)
    wb.transfer(*pair, output=link, verify=False)
    assert link.is_symlink()
    assert (values(real)["a/kernel"] == values(pair[0])["a/kernel"]).all()
    assert left(tmp_path / "there") == ["real.keras"]


def test_a_plan_that_fails_leaves_the_old_output_alone(tmp_path: Path) -> None:
    source = write_dense(tmp_path / "source.keras", (4, 3, 2), ("a", "b"))
    target = write_dense(tmp_path / "target.keras", (4, 3, 3, 2), ("a", "new", "b"))
    output = tmp_path / "output.keras"
    output.write_text("old")
    report = wb.transfer(source, target, output=output, overwrite=True, verify=False, on_fail="return")
    assert report.exit_code == 1
    assert output.read_text() == "old"
    assert (
        wb.transfer(source, target, output=output, overwrite=True, verify=False, fail_on="never").exit_code
        == 0
    )
    assert output.read_bytes()[:2] == b"PK"


def started(*arguments: object, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, whose files may not grow beyond `limit` bytes."""

    def bounded() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # type: ignore[arg-type]

    before = None if limit is None else bounded
    whole = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # Python would keep half of a compiled module
    command = [*RUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=before, env=whole)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5", ".safetensors", ".onnx"])
@pytest.mark.parametrize("limit", [0, 1500], ids=["nothing", "a-part"])
def test_a_full_disk_leaves_the_old_output_whole(tmp_path: Path, suffix: str, limit: int) -> None:
    source, target = makers(tmp_path, 1)[suffix], makers(tmp_path, 2)[suffix]
    if target.stat().st_size <= limit:
        pytest.skip("the file is smaller than that")
    output = tmp_path / f"output{suffix}"
    output.write_text("old")
    done = started("transfer", source, target, output, "--overwrite", "--no-verify", limit=limit)
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert str(output) in done.stdout
    assert output.read_text() == "old"
    assert left(tmp_path) == ["1", "2", f"output{suffix}"]


@contextmanager
def ordinary_user() -> Iterator[None]:
    """root may write everywhere."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_folder_that_may_not_be_written_to() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = [write_dense(folder / f"{side}.keras", (4, 3, 2), ("a", "b")) for side in ("source", "target")]
        folder.chmod(0o555)
        wb.check(*pair)  # loads what another user may not
        with (
            ordinary_user(),
            pytest.raises(OutputError, match="cannot be written: Permission denied") as raised,
        ):
            wb.transfer(*pair, output=folder / "output.keras", verify=False)
        assert raised.value.where == str(folder / "output.keras")
        assert left(folder) == ["source.keras", "target.keras"]
        folder.chmod(0o755)


@pytest.mark.slow
def test_killed_at_any_moment_output_is_absent_or_whole(tmp_path: Path) -> None:
    shape = (1 << 11, 1 << 11)
    arrays = {f"layer{i}.weight": numbers(*shape, seed=i) for i in range(4)}
    source = state(tmp_path / "source.safetensors", arrays)
    target = state(tmp_path / "target.safetensors", {name: array + 1 for name, array in arrays.items()})
    output = tmp_path / "output.safetensors"
    command = [*RUN, "transfer", str(source), str(target), str(output), "--no-verify", "--quiet"]
    whole = subprocess.run(command, check=True, capture_output=True) and output.read_bytes()
    took = measured(command, output)
    ends = [killed(command, output, took * part / 8) for part in range(2, 9)]
    assert {end for end in ends if end is not None} <= {whole}
    assert None in ends


def measured(command: list[str], output: Path) -> float:
    output.unlink()
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - start


def killed(command: list[str], output: Path, after: float) -> bytes | None:
    """What stands under OUTPUT's name when the process is killed after this many seconds."""
    output.unlink(missing_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return output.read_bytes() if output.exists() else None


@pytest.mark.slow
def test_asked_to_stop_it_leaves_nothing_behind(tmp_path: Path) -> None:
    arrays = {f"layer{i}.weight": numbers(1 << 11, 1 << 11, seed=i) for i in range(4)}
    source = state(tmp_path / "source.safetensors", arrays)
    target = state(tmp_path / "target.safetensors", {name: array + 1 for name, array in arrays.items()})
    command = [
        *RUN,
        "transfer",
        str(source),
        str(target),
        str(tmp_path / "output.safetensors"),
        "--no-verify",
        "--quiet",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob(".output*")):
        time.sleep(0.005)
    process.terminate()
    assert process.wait(timeout=20) in (0, 143)
    assert not list(tmp_path.glob(".output*"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak stands in /proc")
@pytest.mark.parametrize("suffix", [".safetensors", ".weights.h5"])
def test_one_tensor_at_a_time_is_in_memory(tmp_path: Path, suffix: str) -> None:
    """200 MB in tensors of 10 MB: the peak stays far below the file."""
    arrays = {f"layer{i}": numbers(1600, 1600, seed=i) for i in range(20)}
    paths = [tmp_path / f"{name}{suffix}" for name in ("source", "target")]
    for path in paths:
        if suffix == ".safetensors":
            state(path, {f"{name}.weight": array for name, array in arrays.items()})
        else:
            write_weights(path, {f"layers/{name}": (name, (array,)) for name, array in arrays.items()})
    output = tmp_path / f"output{suffix}"
    assert peak("transfer", *paths, output, "--no-verify", "--quiet") < 140 << 10, "kilobytes at the peak"


def peak(*arguments: object) -> int:
    """Kilobytes that the command takes in a process of its own."""
    said = "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    script = f"import re; from weightbridge.cli import main\ntry:\n main()\nfinally:\n {said}"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


DTYPES = ("float16", "bfloat16", "float32", "float64")


@pytest.mark.parametrize("given", DTYPES)
@pytest.mark.parametrize("wanted", DTYPES)
def test_dtypes_are_cast_and_what_leaves_their_range_is_said(tmp_path: Path, given: str, wanted: str) -> None:
    dtypes = {name: np.dtype(getattr(ml_dtypes, name, None) or name) for name in DTYPES}
    exact = np.array([[1.0, -0.5, 6e4, 1e-7]])
    source = state(tmp_path / "source.safetensors", {"a.weight": exact.astype(dtypes[given])})
    target = state(tmp_path / "target.safetensors", {"a.weight": np.zeros((1, 4), dtypes[wanted])})
    report = wb.transfer(source, target, output=tmp_path / "output.safetensors", verify=False)
    assert (
        values(tmp_path / "output.safetensors")["a.weight"].tobytes()
        == exact.astype(dtypes[given]).astype(dtypes[wanted]).tobytes()
    )
    kind, contract = contract_of(given, wanted)
    assert [(s.kind, s.contract) for s in report.plan.steps] == [(kind, contract)]  # type: ignore[union-attr]
    assert "WB307" not in [f.code for f in report.findings]


def contract_of(given: str, wanted: str) -> tuple[str, str]:
    order = {"float16": 1, "bfloat16": 1, "float32": 2, "float64": 3}
    if given == wanted:
        return "copy", "bitwise"
    return "transform", "preserving" if order[given] < order[wanted] else "lossy"


@pytest.mark.parametrize(
    ("given", "wanted", "value", "lost"),
    [
        ("float32", "float16", 1e5, True),
        ("float32", "float16", 1e-9, True),
        ("float64", "float32", 1e300, True),
        ("float64", "float32", 1e-300, True),
        ("float64", "bfloat16", -1e300, True),
        ("float32", "float16", 65504.0, False),
        ("float32", "bfloat16", 1e38, False),
        ("float32", "float16", 0.0, False),
    ],
)
def test_overflow_and_underflow_are_said(
    tmp_path: Path, given: str, wanted: str, value: float, lost: bool
) -> None:
    dtypes = [np.dtype(getattr(ml_dtypes, name, None) or name) for name in (given, wanted)]
    source = state(tmp_path / "source.safetensors", {"a.weight": np.array([[1.0, value]], dtypes[0])})
    target = state(tmp_path / "target.safetensors", {"a.weight": np.zeros((1, 2), dtypes[1])})
    report = wb.transfer(source, target, output=tmp_path / "output.safetensors", verify=False)
    found = [f for f in report.findings if f.code == "WB307"]
    assert bool(found) is lost
    assert all(f"1 of 2 values leave the range of {wanted}" in f.message and f.fix for f in found)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
def test_weights_that_are_no_numbers_are_an_error_and_nothing_is_written(tmp_path: Path, bad: float) -> None:
    broken = numbers(3, 4)
    broken[1, 2] = bad
    source = state(tmp_path / "source.safetensors", {"a.weight": broken, "b.weight": numbers(2, 3)})
    target = state(tmp_path / "target.safetensors", {"a.weight": numbers(3, 4), "b.weight": numbers(2, 3)})
    output = tmp_path / "output.safetensors"
    report = wb.transfer(source, target, output=output, verify=False, on_fail="return")
    assert (report.verdict, report.exit_code) == ("fail", 1)
    assert [(f.code, f.source) for f in report.findings] == [("WB106", "a.weight")]
    assert "1 of 12 values" in report.findings[0].message
    assert left(tmp_path) == ["source.safetensors", "target.safetensors"]
    assert wb.transfer(source, target, output=output, verify=False, fail_on="never").exit_code == 0
    assert values(output)["a.weight"].tobytes() == broken.tobytes()


def test_check_reads_no_values_and_the_plan_reads_all(tmp_path: Path) -> None:
    source = state(tmp_path / "source.safetensors", {"a.weight": np.full((2, 2), np.nan, "f4")})
    target = state(tmp_path / "target.safetensors", {"a.weight": numbers(2, 2)})
    assert wb.check(source, target).verdict == "pass"
    done = started("plan", source, target, tmp_path / "plan.json", "--report", "json")
    assert done.returncode == 1
    assert [f["code"] for f in json.loads(done.stdout)["findings"]] == ["WB106"]
    assert (tmp_path / "plan.json").exists(), "a plan with errors is there to be edited"
