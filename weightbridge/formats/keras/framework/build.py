"""A model of a Keras JSON, with weights as Keras initialises them, after a look at the config."""

from pathlib import Path
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.config import parse_json
from weightbridge.formats.keras.architecture.refusals import refuse_code

FIX = "save the whole model as .keras, or give it as py:package.module:callable"


def built(path: Path) -> Any:
    """The model, built. Raises UnsafeContent for a Lambda, Unsupported for a class that Keras does not have,
    RunError where Keras refuses the config.
    """
    text = path.read_text(encoding="utf-8")
    value = parse_json(text, str(path))
    if isinstance(value, str):  # saved as JSON once more
        text, value = value, parse_json(value, str(path))
    refuse_code(value, str(path))
    try:
        return keras.models.model_from_json(text)
    except Exception as error:  # Keras raises whatever a layer's constructor does
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        message = f"this Keras ({keras.__version__}) cannot build it: {type(error).__name__}: {reason}"
        raise RunError(message, where=str(path), fix=FIX) from error
