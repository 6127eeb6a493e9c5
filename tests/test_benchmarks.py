"""The benchmarks measure what they say.

Time and peak memory of a process, bounds that can be missed, graphs that can be matched.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weightbridge import read
from weightbridge.boundary.options import Options
from weightbridge.matching.match import match
from weightbridge.planning.make import make_plan

SCRIPTS = (
    "converting",
    "converting_judged",
    "matching_package",
    "matching_size",
    "measuring",
    "package_cases",
    "sharded",
    "state_dicts",
)
FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def scripts_on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def measured(code: str) -> tuple[int, float]:
    """Peak and seconds, by a process of its own: this one has a peak that a child would begin with."""
    script = (
        f"import measuring; cost = measuring.run(measuring.python({code!r})); print(cost.peak, cost.seconds)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=FOLDER, check=True, capture_output=True, text=True
    ).stdout.split()
    return int(said[0]), float(said[1])


def test_peak_memory_and_time_are_the_childs() -> None:
    little, _ = measured("pass")
    much, seconds = measured("import time; x = bytearray(b'1') * 300_000_000; time.sleep(0.3)")
    assert little < 300e6 <= much
    assert seconds >= 0.3


def test_a_command_that_fails_ends_the_benchmark() -> None:
    import measuring

    with pytest.raises(SystemExit, match="broken on purpose"):
        measuring.run(measuring.python("raise SystemExit('broken on purpose')"))


@pytest.mark.parametrize(
    ("ratio", "bound", "at_least", "kept"),
    [(10.0, 10, True, True), (9.9, 10, True, False), (6.0, 6, False, True), (6.1, 6, False, False)],
)
def test_a_bound_is_kept_or_not(ratio: float, bound: float, at_least: bool, kept: bool) -> None:
    import measuring

    assert measuring.Row("x", "", "", ratio, bound, at_least).is_kept is kept


@pytest.mark.parametrize(("ratio", "status"), [(2.0, 0), (0.5, 1)], ids=["kept", "missed"])
def test_a_missed_bound_is_an_exit_status(
    ratio: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    import measuring

    with pytest.raises(SystemExit) as ended:
        measuring.finish("title", [measuring.Row("x", "1", "2", ratio, 1, True)], "command")
    assert ended.value.code == status
    assert ("**no**" in capsys.readouterr().out) is bool(status)


@pytest.mark.parametrize("case", range(4))
def test_the_networks_to_match_are_matched_rightly(case: int) -> None:
    import matching_size

    _, source_name, target_name, inserted = matching_size.CASES[case]
    source = matching_size.network(60, source_name)
    target = matching_size.network(60, target_name, 6 if inserted else None)
    found = match(source, target, Options())
    place = {t.name: i for i, t in enumerate(target.tensors)}
    order = [
        place[m.target]
        for m in sorted(found.matches, key=lambda m: [t.name for t in source.tensors].index(m.sources[0]))
    ]
    assert order == sorted(order)
    assert len(found.matches) >= 0.9 * len(source.tensors)


def lines(work: Callable[[], object]) -> int:
    """Lines of Python that were run, each turn of a loop anew: a measure of work that no clock disturbs."""
    found = 0

    def count(frame: object, event: str, argument: object) -> object:
        nonlocal found
        found += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)  # type: ignore[arg-type]  # only the event is looked at
    try:
        work()
    finally:
        sys.settrace(before)
    return found


@pytest.mark.parametrize("case", range(4))
def test_matching_and_planning_grow_with_the_layers_and_not_with_their_square(case: int) -> None:
    import matching_size

    def work(size: int) -> int:
        _, source, target, inserted = matching_size.CASES[case]
        pair = (
            matching_size.network(size, source),
            matching_size.network(size, target, size // 10 if inserted else None),
        )
        return lines(lambda: make_plan(*pair, match(*pair, Options()), Options(adapt="weights")))

    work(20)  # what is imported and read late
    assert work(800) < 4.5 * work(200)


def test_leaves_without_telling_names_are_not_scored_pair_by_pair() -> None:
    import matching_size
    import state_dicts

    def work(size: int) -> int:
        torch = {
            "kernel": "weight",
            "gamma": "weight",
            "beta": "bias",
            "moving_mean": "running_mean",
            "moving_variance": "running_var",
        }
        shapes = {
            f"{t.name.rpartition('/')[0]}.{torch[t.role]}": t.shape[::-1]
            for t in matching_size.network(size, "blocks.{block}.{part}").tensors
        }
        pair = state_dicts.graph("a", shapes), matching_size.network(size, "node{i}x")
        return lines(lambda: match(*pair, Options()))

    work(20)
    assert work(400) < 6 * work(100)


@pytest.mark.parametrize("number", range(5))
def test_the_cases_that_the_package_cannot_do_are_right_here(number: int) -> None:
    import matching_package
    import package_cases

    case = package_cases.cases()[number]
    assert len(case.truth) >= 30
    assert matching_package.judged_ours(case) == f"right: {len(case.truth)} of {len(case.truth)} tensors"


def test_a_case_with_one_wrong_source_is_not_right() -> None:
    import matching_package
    import package_cases

    case = package_cases.cases()[0]
    name = next(iter(case.truth))
    wrong = replace(case, truth={**case.truth, name: frozenset({"another"})})
    assert matching_package.judged_ours(wrong).startswith("**wrong**")


@pytest.mark.parametrize("prefix", ["", "net.blocks"], ids=["torch to Keras", "torch to torch"])
def test_the_state_dicts_to_match_are_matched_rightly(prefix: str) -> None:
    import state_dicts

    source = state_dicts.torch_state(12)
    target = state_dicts.torch_state(12, prefix) if prefix else state_dicts.keras_state(12)
    found = match(state_dicts.graph("a", source), state_dicts.graph("b", target), Options())
    assert {m.target: m.sources for m in found.matches} == {
        t: (s,) for s, t in zip(source, target, strict=True)
    }


def test_the_shards_take_no_room_and_are_read(tmp_path: Path) -> None:
    import sharded

    folder = sharded.checkpoint(tmp_path / "large", sharded.LARGE)
    assert sum(p.stat().st_size for p in folder.iterdir()) > 20e9
    assert sum(p.stat().st_blocks * 512 for p in folder.iterdir()) < 10e6
    assert len(read(folder).tensors) == sharded.SHARDS * sharded.TENSORS


def test_commands_are_measured_in_turns(tmp_path: Path) -> None:
    import measuring

    log = tmp_path / "log"
    commands = [measuring.python(f"open({str(log)!r}, 'a').write({letter!r})") for letter in "ab"]
    costs = measuring.medians(commands, times=2)
    assert log.read_text(encoding="utf-8") == "abab"
    assert all(cost.processor > 0 and cost.seconds > 0 for cost in costs)


CELLS: dict[str, tuple[dict[str, Any], str]] = {
    "right": ({"error": 0.9, "weights": 4, "trained": 4, "seconds": 6.0}, "0.9 floors, trains, 3 x"),
    "in part": (
        {"error": 0.9, "weights": 4, "trained": 3, "seconds": 6.0},
        "0.9 floors, 3 of 4 weights train, 3 x",
    ),
    "frozen": (
        {"error": 2.0, "weights": 0, "trained": 0, "seconds": 4.0},
        "2.0 floors, nothing to train, 2 x",
    ),
    "wrong": ({"error": 3e5, "weights": 4, "trained": 4, "seconds": 4.0}, "WRONG: 3e+05 floors"),
    "no number": ({"error": float("inf"), "weights": 1, "trained": 1, "seconds": 4.0}, "WRONG: inf floors"),
    "of ONNX": ({"error": 0.5, "seconds": 20.0}, "0.5 floors, 10 x"),
    "not converted": ({"stage": "convert", "failed": "a.b.TypeError: no | x", "seconds": 1}, "no: TypeError"),
    "not loaded": ({"stage": "load", "failed": "ValueError: x", "seconds": 1}, "its file fails: ValueError"),
    "not installed": ({"stage": "install", "failed": "ERROR: none"}, "not installed"),
    "instead": (
        {"error": 1, "weights": 0, "trained": 0, "seconds": 2.0, "instead": "a SavedModel"},
        "a SavedModel: 1.0 floors, nothing to train, 1 x",
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_converters_cell_says_what_was_measured(name: str) -> None:
    import converting

    result, expected = CELLS[name]
    case = next(case for case in converting.CASES if "onnx2keras" in case.tools)
    ours = {"error": 0.1, "weights": 4, "trained": 4, "seconds": 2.0}
    assert converting.cell(case, "onnx2keras", {converting.OURS: ours, "onnx2keras": result}) == expected
    assert converting.cell(case, "tf_keras", {converting.OURS: ours}) == "-"
    assert converting.cell(case, converting.OURS, {converting.OURS: ours}) == "0.1 floors, trains, 2.0 s"
    reasons = converting.shown({case.file: {"onnx2keras": result}}).partition("\n\n")[2]
    assert ("failed" in result) == reasons.startswith(f"- {case.name}, onnx2keras: ")


def test_why_a_tool_failed_is_the_line_that_names_the_error() -> None:
    import converting

    said = "Traceback (most recent call last):\n  File x\nkeras.Bad.ValueError: not this\n\nWARNING: later"
    assert converting.reason(said) == "keras.Bad.ValueError: not this"
    assert converting.reason("  \n") == "no reason given"


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
def test_a_conversion_is_judged_by_what_its_file_computes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import converting_judged
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((4, 6, 3)), keras.layers.Conv2D(2, 3), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    y = np.asarray(model(x))

    def judged(file: str, output: Any) -> dict[str, Any]:
        first = np.moveaxis(x, -1, 1)  # as torch has them
        np.savez(tmp_path / "expected.npz", x0=first, y=np.moveaxis(output, -1, 1), floor=1e-6)
        converting_judged.main(tmp_path / file, tmp_path / "expected.npz")
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    assert judged("model.keras", y) == {"error": 0, "weights": 4, "trained": 4}
    assert judged("model.keras", y + 1)["error"] > 1e5
    assert judged("model.keras", y[..., :1])["error"] == float("inf")
    assert "failed" in judged("other.keras", y)
