"""Runner for Keras models, from files or live.

Outputs, activations of named layers, logits, and a rebuild in float64.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.framework.inputs import feed, input_specs
from weightbridge.formats.keras.framework.load import load
from weightbridge.formats.keras.framework.logits import FinalStep, final_step, recorded, replaced
from weightbridge.formats.keras.framework.precision import in_float, rebuilt
from weightbridge.formats.keras.framework.walk import LiveLayer, live_layers
from weightbridge.formats.running import InputSpec, Saturation
from weightbridge.model.tensors import Array

LOOPED = (
    keras.layers.TimeDistributed,
)  # what these hold runs inside a traced loop, where nothing can be observed


def runner(model: Any, dtype: str = "float32") -> "KerasRunner":
    """A runner for a path or a live model.

    dtype: `float64` rebuilds the model with its config in that precision and its weights cast; RunError where
    a layer refuses.
    A file is loaded in safe mode: what needs its code to run is UnsafeContent or Unsupported.
    """
    where = str(model) if isinstance(model, str | Path) else str(getattr(model, "name", "model"))
    live = load(Path(model)) if isinstance(model, str | Path) else model
    return KerasRunner(rebuilt(live, dtype, where) if dtype != "float32" else live, dtype, where)


class KerasRunner:
    """A built Keras model in inference mode.

    Its layers are observed while they run; the model itself is never changed.
    """

    def __init__(self, model: Any, dtype: str, where: str) -> None:
        self._model, self._dtype, self._where = model, dtype, where
        self._inputs = input_specs(model, where)
        tensors = getattr(model, "outputs", None) or []
        self._outputs = _unique(getattr(model, "output_names", None) or ["output"])
        steps = zip(self._outputs, map(final_step, tensors), strict=False)
        self._steps: dict[str, FinalStep] = {name: step for name, step in steps if step is not None}
        self._layers = {one.name: one.layer for one in _observable(live_layers(model))}
        self._calls = tuple(
            name for base, layer in self._layers.items() for name in _call_names(model, base, layer)
        )

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._outputs

    @property
    def layers(self) -> tuple[str, ...]:
        return self._calls

    @property
    def logits(self) -> Mapping[str, Saturation]:
        return {name: step.saturation for name, step in self._steps.items()}

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """Outputs in their order, then `layer:<name>` or `logits:<output>` for each of `layers`.

        A layer that is called again has its later activations under `<name>#1`, `<name>#2`. What this run
        does not reach (dropout
        inside attention), or what runs inside a traced loop, is left out. RunError where the model cannot
        run, or has no such layer.
        """
        arrays = [np.asarray(feeds[spec.name], spec.dtype) for spec in self._inputs]
        found: dict[str, Any] = {}
        try:
            with in_float(self._dtype), self._observing(layers, found):
                _reset(self._model)
                outputs = keras.tree.flatten(self._model(feed(self._model, arrays), training=False))
        except RunError:
            raise
        except Exception as error:  # whatever a layer, or TensorFlow, raises
            raise RunError(
                f"the model cannot run on {_shapes(arrays)}: {_last_line(error)}", where=self._where
            ) from error
        names = self._outputs if len(outputs) == len(self._outputs) else _unique(["output"] * len(outputs))
        result = {name: np.asarray(output) for name, output in zip(names, outputs, strict=True)}
        return result | {
            key: np.asarray(found[key]) for key in map(_key, layers) if _is_concrete(found.get(key))
        }

    @contextmanager
    def _observing(self, layers: Sequence[str], found: dict[str, Any]) -> Iterator[None]:
        with ExitStack() as stack:
            for name in layers:
                if name.startswith("logits:"):
                    stack.enter_context(recorded(self._steps[name.removeprefix("logits:")], found, name))
                elif name.partition("#")[0] in self._layers:
                    base = name.partition("#")[0]
                    stack.enter_context(_watched(self._layers[base], found, f"layer:{base}"))
                else:
                    raise RunError(
                        f"there is no layer {name!r} whose activation can be shown", where=self._where
                    )
            yield


@contextmanager
def _watched(layer: Any, found: dict[str, Any], key: str) -> Iterator[None]:
    original, count = layer.call, 0

    def watching(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        result = original(*args, **kwargs)
        found[f"{key}#{count}" if count else key] = keras.tree.flatten(result)[0]
        count += 1
        return result

    with replaced(layer, "call", watching):
        yield


def _observable(layers: Sequence[LiveLayer]) -> Iterator[LiveLayer]:
    """The layers that are called with data in plain sight."""
    looped = tuple(f"{one.name}/" for one in layers if isinstance(one.layer, LOOPED))
    yield from (
        one
        for one in layers
        if not isinstance(one.layer, keras.layers.InputLayer) and not one.name.startswith(looped)
    )


def _call_names(model: Any, name: str, layer: Any) -> Iterator[str]:
    """`name`, and `name#1`, `name#2` for the later calls of a layer that the model shares."""
    by_depth = getattr(getattr(model, "_functional", model), "_nodes_by_depth", {})
    nodes = [node for depth in by_depth.values() for node in depth if node.operation is layer]
    yield name
    yield from (f"{name}#{i}" for i in range(1, len(nodes)))


def _key(name: str) -> str:
    return name if name.startswith("logits:") else f"layer:{name}"


def _is_concrete(tensor: Any) -> bool:
    """Inside a traced loop, tensors are symbols without values."""
    return tensor is not None and (
        isinstance(tensor, np.ndarray) or hasattr(tensor, "numpy") or not hasattr(tensor, "graph")
    )


def _reset(model: Any) -> None:
    """Stateful layers start every run from zero, so that equal feeds give equal results."""
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
            layer.reset_state()


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        name if names.index(name) == i else f"{name}#{list(names[:i]).count(name)}"
        for i, name in enumerate(names)
    )


def _shapes(arrays: Sequence[Array]) -> str:
    return ", ".join(f"{array.dtype} {array.shape}" for array in arrays)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:400]
