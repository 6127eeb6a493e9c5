"""Keras files loaded by Keras, after a look at the config: nothing in a file is executed or imported."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.refusals import config_of, refuse_code
from weightbridge.formats.keras.older_files import is_older, written_anew

OF_TODAY = "save the model again in a current Keras, or give it as py:package.module:callable"
CAUSES = "(WB102 and WB104 of weightbridge inspect name known causes)"


def load(path: Path) -> Any:
    """The model of a `.keras` or `.h5` file, whatever its suffix, not compiled.

    Raises UnsafeContent for a Lambda, Unsupported for a class that Keras does not have, RunError where Keras
    refuses the file.
    """
    is_zip = zipfile.is_zipfile(path)
    refuse_code(config_of(path), str(path))
    with suffixed(path, ".keras" if is_zip else ".h5") as link:
        try:
            return keras.saving.load_model(link, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever a layer's constructor does
            message = f"this Keras ({keras.__version__}) cannot load it: {_reason(error)}"
            fix = written_anew(str(path)) if is_older(path) else OF_TODAY
            raise RunError(message, where=str(path), fix=f"{fix} {CAUSES}") from error


@contextmanager
def suffixed(path: Path, suffix: str) -> Iterator[str]:
    """A link, or else a copy, with the suffix that Keras goes by, for files that are called otherwise."""
    if path.name.endswith(suffix):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
        link = os.path.join(folder, f"model{suffix}")
        try:
            os.symlink(path.resolve(), link)
        except OSError:  # Windows asks for a privilege, some file systems have no links
            shutil.copyfile(path, link)
        yield link


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:300]
