"""convert: Keras 1 and early Keras 2, compared with our own evaluator."""

from pathlib import Path

import pytest
from first_models import CASES, write_first
from test_convert import converted

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", CASES)
def test_it_computes_the_same(name: str, tmp_path: Path) -> None:
    code, report = converted(write_first(tmp_path / "old.h5", name), tmp_path / "new.keras")
    assert (code, report["verification"]["mode"]) == (0, "actual"), report["findings"]
    assert report["coverage"]["fraction"] == 1.0
    assert not [output for output in report["verification"]["outputs"] if output["status"] == "differs"]
