"""convert: Keras 1 and early Keras 2, compared with our own evaluator or with tf_keras."""

from pathlib import Path

import pytest
from test_convert import converted
from test_convert_rules import WRITTEN

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", WRITTEN)
def test_it_computes_the_same(name: str, tmp_path: Path) -> None:
    code, report = converted(WRITTEN[name](tmp_path / "old.h5"), tmp_path / "new.keras")
    assert (code, report["verification"]["mode"]) == (0, "actual"), report["findings"]
    assert (
        report["coverage"]["copied"] + report["coverage"]["transformed"] == report["coverage"]["parameters"]
    )
    assert not [output for output in report["verification"]["outputs"] if output["status"] == "differs"]
