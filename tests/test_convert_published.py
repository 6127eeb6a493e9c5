"""convert --probe with the author's own outputs: compared, and the proof where nothing runs the old model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import FIXTURES

import weightbridge as wb
from weightbridge import formats
from weightbridge.commands.proof import conversion
from weightbridge.formats.keras.evaluate.runner import runner

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]
SOURCE = FIXTURES / "keras2" / "recurrent.h5"


def published(path: Path, factor: float, name: str = "y") -> Path:
    """What the old model gives, in a factor."""
    old = runner(formats.read(SOURCE), "float64")
    shape = [length or 5 for length in old.inputs[0].shape[1:]]
    x = np.random.default_rng(0).normal(size=(6, *shape)).astype("float32")
    (y,) = old.run({old.inputs[0].name: x}).values()
    np.savez(path, x=x, **{name: (y * factor).astype("float32")})
    return path


def converted(output: Path, probe: Path) -> Any:
    return wb.convert(SOURCE, output, probe=probe, on_fail="return")


@pytest.mark.parametrize("is_alone", [False, True], ids=["beside-a-reference", "alone"])
@pytest.mark.parametrize(("factor", "codes"), [(1.0, set()), (1.001, {"WB401"})], ids=["right", "other"])
def test_published_outputs_are_compared(
    factor: float, codes: set[str], is_alone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_alone:
        monkeypatch.setattr(conversion, "references", lambda *_, **__: iter(()))
    output = tmp_path / "new.keras"
    report = converted(output, published(tmp_path / "d.npz", factor))
    assert {found.code for found in report.findings if found.severity == "error"} == codes
    assert output.exists() == (not codes)
    probes = [one["probe"] for one in report.verification.outputs]
    assert probes.count("recorded outputs") == 1
    assert (len(probes) == 1) == is_alone


def test_outputs_are_found_by_their_names(tmp_path: Path) -> None:
    first = converted(tmp_path / "first.keras", published(tmp_path / "y.npz", 1.0))
    (name,) = {one["name"] for one in first.verification.outputs if one["probe"] == "recorded outputs"}
    report = converted(tmp_path / "new.keras", published(tmp_path / "d.npz", 1.001, name))
    wrong = [one["probe"] for one in report.verification.outputs if one["status"] == "differs"]
    assert wrong == ["recorded outputs"]


def test_labels_are_no_outputs(tmp_path: Path) -> None:
    """And nothing is proven by them."""
    path = published(tmp_path / "d.npz", 1.0)
    with np.load(path) as arrays:
        np.savez(path, x=arrays["x"], y=np.arange(6))
    report = converted(tmp_path / "new.keras", path)
    assert "recorded outputs" not in {one["probe"] for one in report.verification.outputs}
