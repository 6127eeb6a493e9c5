"""Runner for models of Keras 2 and tf.keras by tf_keras, which computes what they computed when saved."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.refusals import config_of, refuse_code
from weightbridge.formats.keras.framework.load import suffixed
from weightbridge.formats.running import ULPS, InputSpec
from weightbridge.model.tensors import Array

PRECISE = "float64"
POLICIES = ("Policy", "PolicyV1", "DTypePolicy")


def runner(path: Path, dtype: str = "float32") -> "OlderRunner":
    """A runner for an `.h5` or `.keras` file of Keras 2, loaded in safe mode.

    Raises UnsafeContent for a Lambda, Unsupported for a class of somebody else's, RunError where tf_keras
    refuses the file.
    """
    refuse_code(_as_of_keras(config_of(path)), str(path))
    model = _loaded(path)
    return OlderRunner(_precise(model, str(path)) if dtype == PRECISE else model, dtype, str(path))


class OlderRunner:
    """A model of tf_keras in inference mode."""

    def __init__(self, model: Any, dtype: str, where: str) -> None:
        self._model, self._dtype, self._where = model, dtype, where
        tensors = getattr(model, "inputs", None)
        if not tensors:
            raise RunError("the model has no inputs: it was never built", where=where)
        self._inputs = tuple(
            InputSpec(name, tuple(tensor.shape), tensor.dtype.name, _vocabulary(model))
            for name, tensor in zip(model.input_names, tensors, strict=True)
        )

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        names: list[str] = list(self._model.output_names)
        return tuple(f"{name}#{i}" if name in names[:i] else name for i, name in enumerate(names))

    def in_double(self) -> "OlderRunner":
        """The same model in float64."""
        return OlderRunner(_precise(self._model, self._where), PRECISE, self._where)

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """The outputs in their order. RunError where the model cannot run."""
        arrays = [spec.typed(feeds[spec.name]) for spec in self._inputs]
        try:
            with _in_float(self._dtype):
                self._model.reset_states()  # equal feeds give equal results
                outputs = self._model(arrays if len(arrays) > 1 else arrays[0], training=False)
        except Exception as error:  # whatever a layer, or TensorFlow, raises
            message = f"the model cannot run in tf_keras: {type(error).__name__}: {str(error)[:200]}"
            raise RunError(message, where=self._where) from error
        values = [np.asarray(value) for value in tf.nest.flatten(outputs)]
        return dict(zip(self.outputs, values, strict=False))


def _as_of_keras(value: Any) -> Any:
    """The config with tf_keras's own modules by the names that they have in Keras."""
    if isinstance(value, dict):
        return {k: _module(v) if k == "module" else _as_of_keras(v) for k, v in value.items()}
    return [_as_of_keras(one) for one in value] if isinstance(value, list) else value


def _module(value: Any) -> Any:
    return value.removeprefix("tf_") if isinstance(value, str) and value.startswith("tf_keras.") else value


def _loaded(path: Path) -> Any:
    suffix = ".keras" if zipfile.is_zipfile(path) else ".h5"
    with suffixed(path, suffix) as link:
        try:
            return tf_keras.models.load_model(link, compile=False, safe_mode=True)
        except Exception as error:  # tf_keras raises whatever a layer's constructor does
            message = f"tf_keras cannot load it: {type(error).__name__}: {str(error)[:200]}"
            raise RunError(message, where=str(path)) from error


def _precise(model: Any, where: str) -> Any:
    """The same model in float64. RunError where a layer refuses."""
    try:
        with _in_float(PRECISE):
            precise = type(model).from_config(_in_double(model.get_config()))
            _set_weights(precise, model)
    except Exception as error:  # tf_keras raises whatever a layer's constructor does
        raise RunError(f"it cannot be had in float64: {str(error)[:200]}", where=where) from error
    return precise


def _set_weights(precise: Any, model: Any) -> None:
    """One at a time in memory, but for what is no variable: the words of a lookup."""
    if all(isinstance(weight, tf.Variable) for weight in (*precise.weights, *model.weights)):
        for own, weight in zip(precise.weights, model.weights, strict=True):
            own.assign(weight.numpy().astype(own.dtype.as_numpy_dtype))
        for layer in precise._flatten_layers():
            layer.finalize_state()  # as set_weights does: a Normalization computes with constants
    else:
        precise.set_weights([array.astype(np.float64) for array in model.get_weights()])


def _in_double(value: Any) -> Any:
    """With every dtype of floats, and every policy, replaced."""
    if isinstance(value, dict):
        return {key: PRECISE if _is_floating(key, one) else _in_double(one) for key, one in value.items()}
    return [_in_double(one) for one in value] if isinstance(value, list | tuple) else value


def _is_floating(key: Any, value: Any) -> bool:
    if key != "dtype":
        return False
    if isinstance(value, dict):
        return value.get("class_name") in POLICIES
    return isinstance(value, str) and value.removeprefix("mixed_") in ULPS


@contextmanager
def _in_float(dtype: str) -> Iterator[None]:
    before = tf_keras.backend.floatx()
    tf_keras.backend.set_floatx(dtype)
    try:
        yield
    finally:
        tf_keras.backend.set_floatx(before)


def _vocabulary(model: Any) -> int | None:
    """The smallest number of words that an embedding knows."""
    layers = (layer for layer in model._flatten_layers() if isinstance(layer, tf_keras.layers.Embedding))
    return min((layer.input_dim for layer in layers), default=None)
