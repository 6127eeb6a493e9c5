"""--disambiguate: numbers decide where names and structure cannot; else it is said that they cannot."""

from pathlib import Path

import pytest

import weightbridge as wb

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning"
    ),  # TensorFlow under NumPy 2, while Keras saves
]


def saved(path: Path, seed: int, names: tuple[str, str], scaled: int, factor: float = 0.3) -> Path:
    """Two dense branches of one shape, of which the one at index `scaled` is scaled by a layer without
    weights before they are added.
    """
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6,))
    branches = [keras.layers.Dense(8, name=name)(inputs) for name in names]
    branches[scaled] = keras.layers.Rescaling(factor)(branches[scaled])
    outputs = keras.layers.Dense(3, name=f"{names[0]}_out")(keras.layers.Add()(branches))
    keras.Model(inputs, outputs).save(path)
    return path


def sources(report: wb.Report) -> dict[str, str]:
    assert report.plan is not None
    return {s.target: s.sources[0] for s in report.plan.steps if s.target.endswith("kernel")}


def codes(report: wb.Report) -> set[str]:
    return {f.code for f in report.findings}


@pytest.mark.parametrize("scaled", [0, 1], ids=["as in the file", "the other way round"])
def test_the_candidate_that_gives_the_outputs_is_kept(tmp_path: Path, scaled: int) -> None:
    source = saved(tmp_path / "s.keras", 1, ("left", "right"), 0)
    target = saved(tmp_path / "t.keras", 2, ("k7q", "p3x"), scaled)
    report = wb.transfer(source, target, output=tmp_path / "o.keras", disambiguate=True)
    assert (report.verdict, "WB204" in codes(report)) == ("pass", False)
    names = ("k7q", "p3x")
    assert sources(report)[f"{names[scaled]}/kernel"] == "left/kernel"
    assert {s.evidence for s in report.plan.steps if s.target.startswith(names)} >= {("numbers",)}  # type: ignore[union-attr]


def test_without_it_the_guess_is_called_one(tmp_path: Path) -> None:
    source = saved(tmp_path / "s.keras", 1, ("left", "right"), 0)
    report = wb.check(source, saved(tmp_path / "t.keras", 2, ("k7q", "p3x"), 1))
    assert "WB204" in codes(report)
    assert all(s.confidence <= 0.9 for s in report.plan.steps if s.runners_up)  # type: ignore[union-attr]


def test_answers_that_all_give_the_outputs_stay_open(tmp_path: Path) -> None:
    source = saved(tmp_path / "s.keras", 1, ("left", "right"), 0, factor=1.0)
    report = wb.check(
        source, saved(tmp_path / "t.keras", 2, ("k7q", "p3x"), 1, factor=1.0), disambiguate=True
    )
    assert any(f.code == "WB204" and "More than one answer" in f.message for f in report.findings)


def test_no_answer_that_gives_the_outputs_decides_nothing(tmp_path: Path) -> None:
    source = saved(tmp_path / "s.keras", 1, ("left", "right"), 0)
    report = wb.check(
        source, saved(tmp_path / "t.keras", 2, ("k7q", "p3x"), 1, factor=0.7), disambiguate=True
    )
    assert any(f.code == "WB204" and "no combination" in f.message for f in report.findings)


def test_a_source_that_cannot_run_is_said(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    left, right = (keras.layers.Dense(8, name=name)(inputs) for name in ("left", "right"))
    joined = keras.layers.Add()([keras.layers.Lambda(lambda x: 0.3 * x)(left), right])
    keras.Model(inputs, keras.layers.Dense(3, name="left_out")(joined)).save(tmp_path / "s.keras")
    report = wb.check(
        tmp_path / "s.keras", saved(tmp_path / "t.keras", 2, ("k7q", "p3x"), 1), disambiguate=True
    )
    assert any(f.code == "WB204" and "cannot be tried" in f.message for f in report.findings)
