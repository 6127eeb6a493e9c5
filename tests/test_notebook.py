"""The notebook of examples/ runs from its first cell to its last, and shows what is stored in it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
LONGEST = 600  # seconds for a cell


def cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def shown(cell: dict[str, Any]) -> list[str]:
    """What a cell printed and the value that it ended with, as text."""
    texts = [
        output.get("text") or output["data"]["text/plain"]
        for output in cell["outputs"]
        if output.get("name") != "stderr"
    ]
    return ["".join(text) for text in texts]


STORED = cells(json.loads(NOTEBOOK.read_text(encoding="utf-8")))


def test_its_cells_are_stored_in_order_with_what_they_gave() -> None:
    assert [cell["execution_count"] for cell in STORED] == list(range(1, len(STORED) + 1))
    kinds = {output["output_type"] for cell in STORED for output in cell["outputs"]}
    assert kinds == {"execute_result", "stream"}
    assert any("text/html" in output.get("data", {}) for cell in STORED for output in cell["outputs"])
    assert not re.search(r"/(home|root|tmp|work)/", NOTEBOOK.read_text(encoding="utf-8"))


def test_it_uses_public_names_alone() -> None:
    import weightbridge as wb

    used = set(re.findall(r"\bwb\.(\w+)", "\n".join(map(source, STORED))))
    assert {"read", "check", "plan", "transfer", "freeze"} <= used <= set(wb.__all__)


@pytest.mark.framework
@pytest.mark.slow
def test_it_runs_and_shows_what_is_stored() -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=LONGEST, kernel_name="python3", resources=where).execute()
    assert [shown(cell) for cell in cells(notebook)] == [shown(cell) for cell in STORED]
