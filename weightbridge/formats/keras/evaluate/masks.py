"""Masks: which steps of a sequence count, and what hands them on."""

from collections.abc import Sequence

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.ops import OF_TENSORFLOW
from weightbridge.formats.keras.evaluate.recurrent import FUNCTIONS as RECURRENT
from weightbridge.formats.keras.evaluate.values import Given
from weightbridge.model.tensors import Array

Masks = Sequence[Array | None]
PASSING = frozenset(
    {
        *("Dense", "EinsumDense", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "ThresholdedReLU"),
        *("BatchNormalization", "LayerNormalization", "Rescaling", "TimeDistributed", "Identity"),
        *("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "RNN"),
    }
)
ENDING = frozenset({"GlobalAveragePooling1D", *OF_TENSORFLOW})


def mask_of(given: Given, masks: Masks) -> Array | None:
    """The mask of what a layer gives. RunError where it is not known how it hands one on."""
    if given.class_name == "Embedding":
        return np.not_equal(given.x, 0) if given.config.get("mask_zero") else None
    if given.class_name == "Masking":
        return np.asarray(np.any(given.x != given.config.get("mask_value", 0.0), axis=-1))
    known = [mask for mask in masks if mask is not None]
    return _handed_on(given, known) if known else None


def _handed_on(given: Given, known: Masks) -> Array | None:
    is_kept = given.class_name in PASSING or given.class_name == "Bidirectional"
    if is_kept and len(known) == len(given.inputs):
        return known[0]
    if given.class_name in RECURRENT:
        return known[0] if given.config.get("return_sequences") else None
    if given.class_name in ENDING:
        return None
    raise RunError(f"how {given.class_name} hands on a mask is not known here")
