"""verify: a file of an older Keras is run as it was when it was saved, whatever today's Keras makes of it."""

from pathlib import Path

import numpy as np
import pytest
from keras_files import FIXTURES

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]
SCALED = "hard_sigmoid.h5"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("converted") / "new.keras"
    wb.convert(FIXTURES / "keras2" / SCALED, output)
    return output


def codes(report: wb.Report, severity: str) -> set[str]:
    return {found.code for found in report.findings if found.severity == severity}


def test_what_was_converted_right_passes(converted: Path) -> None:
    """The weights of the new file are scaled: under today's Keras the old one computes something else."""
    report = wb.verify(FIXTURES / "keras2" / SCALED, converted)
    assert (report.exit_code, codes(report, "error")) == (0, set())
    assert "WB103" in codes(report, "note")
    assert report.verification.evidence["as_saved"] == {"source": "tf_keras"}


def test_either_side_may_be_the_old_one(converted: Path) -> None:
    report = wb.verify(converted, FIXTURES / "keras2" / SCALED)
    assert (report.exit_code, report.verification.evidence["as_saved"]) == (0, {"target": "tf_keras"})


def test_a_scaling_that_is_left_out_fails(converted: Path, tmp_path: Path) -> None:
    """By 1.2, the quotient of the slopes: what loading the old weights would have made of it."""
    import keras

    model = keras.models.load_model(converted)
    model.set_weights([value / np.float32(1.2) for value in model.get_weights()])
    model.save(tmp_path / "unscaled.keras")
    report = wb.verify(FIXTURES / "keras2" / SCALED, tmp_path / "unscaled.keras")
    assert {"WB103", "WB401"} <= codes(report, "error")


def test_what_two_old_files_compute_today_stays_an_error() -> None:
    report = wb.verify(FIXTURES / "keras2" / SCALED, FIXTURES / "keras2" / SCALED)
    assert codes(report, "error") == {"WB103"}
    assert report.verification.evidence["as_saved"] == {"source": "tf_keras", "target": "tf_keras"}
