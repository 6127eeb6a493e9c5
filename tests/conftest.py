"""What all tests share: quiet frameworks, the shared models where they are, and the proof that most tests
import no framework.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

FRAMEWORKS = ("tensorflow", "keras", "onnxruntime", "torch", "tf2onnx")
ROOT = Path(__file__).resolve().parent.parent


def _loaded() -> set[str]:
    return {name for name in FRAMEWORKS if name in sys.modules}


def pytest_collection_finish(session: pytest.Session) -> None:
    if _loaded() and not any(item.get_closest_marker("framework") for item in session.items):
        pytest.exit(
            f"collecting the tests imported {', '.join(sorted(_loaded()))}: "
            "import frameworks inside the tests marked framework",
            3,
        )


@pytest.fixture(autouse=True)
def no_framework(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that is not marked `framework` fails when it imports one."""
    before = _loaded()
    yield
    if not request.node.get_closest_marker("framework"):
        assert _loaded() == before, "this test imported a framework: mark it, or import less"


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of real models beside the checkout; they are read there, never copied."""
    folder = ROOT.parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("no folder ../shared/models with real models here")
    return folder
