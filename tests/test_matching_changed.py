"""An older hard_sigmoid in the source: a fault only where the target computes today's."""

from pathlib import Path
from typing import Any

import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy

import weightbridge as wb

OWN = {
    "module": "mine",
    "class_name": "function",
    "config": "old_hard_sigmoid",
    "registered_name": "mine>old_hard_sigmoid",
}
TODAY = {
    "module": "keras.activations",
    "class_name": "function",
    "config": "hard_sigmoid",
    "registered_name": "hard_sigmoid",
}
ARRAYS = {"kernel": numbers(3, 16), "recurrent_kernel": numbers(4, 16), "bias": numbers(16)}


def _source(folder: Path, version: str = "2.4.0") -> Path:
    lstm = layer("LSTM", "rec", module="", units=4, recurrent_activation="hard_sigmoid", use_bias=True)
    config = sequential(source("x", [5, 3], module=""), lstm, module="")
    return write_legacy(
        folder / "source.h5", {"rec": {f"rec/{k}:0": v for k, v in ARRAYS.items()}}, config, version=version
    )


def _target(folder: Path, activation: Any) -> Path:
    config = sequential(
        source("x", [5, 3]), layer("LSTM", "rec", units=4, recurrent_activation=activation, use_bias=True)
    )
    arrays = [a * 0 for a in ARRAYS.values()]
    return write_keras(folder / "target.keras", config, {"layers/lstm/cell": ("lstm_cell", arrays)})


@pytest.mark.parametrize(
    ("activation", "codes", "exit_code"),
    [
        pytest.param("hard_sigmoid", {"WB103"}, 1, id="today"),
        pytest.param(TODAY, {"WB103"}, 1, id="today-serialised"),
        pytest.param("sigmoid", {"WB403"}, 0, id="another"),
        pytest.param(OWN, set(), 0, id="own-function"),
    ],
)
def test_the_source_is_at_fault_where_the_target_computes_todays(
    tmp_path: Path, activation: Any, codes: set[str], exit_code: int
) -> None:
    report = wb.check(_source(tmp_path), _target(tmp_path, activation))
    assert ({f.code for f in report.findings} & {"WB103", "WB403"}, report.exit_code) == (codes, exit_code)


def test_a_source_of_today_is_not_at_fault(tmp_path: Path) -> None:
    report = wb.check(_source(tmp_path, "3.5.0"), _target(tmp_path, "hard_sigmoid"))
    assert {f.code for f in report.findings} & {"WB103", "WB403"} == set()


def test_weights_alone_do_not_tell_and_that_is_a_warning(tmp_path: Path) -> None:
    target = write_legacy(tmp_path / "target.h5", {"rec": {f"rec/{k}:0": v for k, v in ARRAYS.items()}})
    report = wb.check(_source(tmp_path), target)
    assert [(f.code, f.severity) for f in report.findings if f.code == "WB103"] == [("WB103", "warning")]


def test_an_older_target_is_still_at_fault(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    report = wb.check(_source(tmp_path), _source(other))
    assert [(f.code, f.source, f.target) for f in report.findings if f.code == "WB103"] == [
        ("WB103", "", "rec")
    ]


def test_what_is_transferred_is_not_called_equal(tmp_path: Path) -> None:
    report = wb.transfer(_source(tmp_path), _target(tmp_path, OWN), output=tmp_path / "o.keras", verify=False)
    assert report.exit_code == 0
    assert report.verification.evidence["claim"] == "WB103 at rec"


@pytest.mark.parametrize(
    ("wanted", "codes"), [("hard_sigmoid", {"WB103"}), (OWN, set())], ids=["today", "own-function"]
)
def test_an_activation_that_follows_no_weights_counts_too(
    tmp_path: Path, wanted: Any, codes: set[str]
) -> None:
    old = sequential(
        source("x", [4], module=""),
        layer("Activation", "act", module="", activation="hard_sigmoid"),
        _dense(""),
        module="",
    )
    new = sequential(source("x", [4]), layer("Activation", "act", activation=wanted), _dense("keras.layers"))
    a = write_legacy(
        tmp_path / "a.h5",
        {"act": {}, "d": {"d/kernel:0": numbers(4, 2), "d/bias:0": numbers(2)}},
        old,
        version="2.4.0",
    )
    b = write_keras(tmp_path / "b.keras", new, {"layers/dense": ("d", [numbers(4, 2), numbers(2)])})
    assert {f.code for f in wb.check(a, b).findings} & {"WB103"} == codes


def _dense(module: str) -> dict[str, Any]:
    return layer("Dense", "d", module=module, units=2, use_bias=True)


def test_what_todays_keras_would_do_to_the_source_alone_is_a_warning(tmp_path: Path) -> None:
    """A Softmax over several axes: Keras 3 would drop them from this file.

    Weights go where they belong all the same.
    """
    layers = (
        layer("Softmax", "map", module="", axis=[1, 2]),
        layer("Dense", "head", module="", units=2, use_bias=False),
    )
    config = sequential(source("x", [4, 3], module=""), *layers, module="")
    first = write_legacy(
        tmp_path / "a.h5", {"head": {"head/kernel:0": numbers(3, 2)}}, config, version="2.10.0"
    )
    report = wb.check(first, write_legacy(tmp_path / "b.h5", {"head": {"head/kernel:0": numbers(3, 2)}}))
    assert [(f.code, f.severity, f.source) for f in report.findings if f.code == "WB103"] == [
        ("WB103", "warning", "map")
    ]
    assert report.exit_code == 0


@pytest.mark.framework
def test_it_is_said_once_where_the_source_is_run_today(tmp_path: Path) -> None:
    layers = (
        layer("Softmax", "map", module="", axis=[1, 2]),
        layer("Dense", "head", module="", units=2, use_bias=False),
    )
    path = write_legacy(
        tmp_path / "a.h5",
        {"head": {"head/kernel:0": numbers(3, 2)}},
        sequential(source("x", [4, 3], module=""), *layers, module=""),
        version="2.10.0",
    )
    report = wb.verify(path, path)
    assert [(f.severity, f.source) for f in report.findings if f.code == "WB103" and f.source] == [
        ("error", "map")
    ]
