"""Runner for Keras models, from files or live, on each of Keras's backends."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.keras.framework.backends import (
    as_array,
    as_tensor,
    compiled,
    inference,
    is_concrete,
    is_of_graph,
)
from weightbridge.formats.keras.framework.inputs import called, input_specs
from weightbridge.formats.keras.framework.load import load
from weightbridge.formats.keras.framework.runs.alone import Call, first_of, recording_calls
from weightbridge.formats.keras.framework.runs.logits import FinalStep, final_step
from weightbridge.formats.keras.framework.runs.observe import call_names, observable, observing
from weightbridge.formats.keras.framework.runs.precision import in_float, precision_of, rebuilt, stored_dtypes
from weightbridge.formats.keras.framework.runs.rounded import rounded_outputs
from weightbridge.formats.keras.framework.runs.shapes import reshaped
from weightbridge.formats.keras.framework.runs.state import Values, changed_values, holding
from weightbridge.formats.keras.framework.said import first_line, shapes_of, unique
from weightbridge.formats.keras.framework.storage import storage_of
from weightbridge.formats.keras.framework.sums import Predictions, always_misplaced, misplaced_sums
from weightbridge.formats.keras.framework.walk import live_layers
from weightbridge.formats.running import (
    Change,
    Grid,
    InputSpec,
    Precision,
    Saturation,
    Shape,
    fitting,
    key_of,
)
from weightbridge.model.tensors import Array

Found = tuple[list[Any], dict[str, Any]]  # outputs, and what was asked for besides
# In eager mode these run step by step, in Python: a hundred times as long as compiled.
STEPWISE = (keras.layers.RNN, keras.layers.TimeDistributed)


def runner(model: Any, dtype: str = "float32") -> "KerasRunner":
    """A runner for a path or a live model.

    dtype: `float64` rebuilds the model in that precision, its weights cast; RunError where a layer refuses.
    A file is loaded in safe mode: what needs its code to run is UnsafeContent or Unsupported.
    """
    where = str(model) if isinstance(model, str | Path) else str(getattr(model, "name", "model"))
    live = load(Path(model)) if isinstance(model, str | Path) else model
    return KerasRunner(rebuilt(live, dtype, where) if dtype != "float32" else live, dtype, where)


class KerasRunner:
    """A built Keras model in inference mode. Its layers are observed while they run.

    values: what variables hold in place of their own values. The model itself is never changed: it runs in a
    scope of its own, where states of recurrent layers end with the run.
    """

    def __init__(
        self,
        model: Any,
        dtype: str,
        where: str,
        values: Values = (),
        inputs: tuple[InputSpec, ...] | None = None,
    ) -> None:
        self._model, self._dtype, self._where, self._values = model, dtype, where, values
        self._inputs = inputs if inputs is not None else input_specs(model, where)
        tensors = getattr(model, "outputs", None) or []
        self._outputs = unique(getattr(model, "output_names", None) or ["output"])
        steps = zip(self._outputs, map(final_step, tensors), strict=False)
        self._steps: dict[str, FinalStep] = {name: step for name, step in steps if step is not None}
        self._layers = {one.name: one.layer for one in observable(live_layers(model))}
        self._is_stepwise = any(isinstance(layer, STEPWISE) for layer in model._flatten_layers())
        self._compiled: dict[tuple[str, ...], Callable[..., Any] | None] = {}
        self._predictions = Predictions()
        self._calls: dict[str, Call] = {}
        self.remarks: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._outputs

    @cached_property
    def layers(self) -> tuple[str, ...]:
        named = self._layers.items()
        return tuple(name for base, layer in named for name in call_names(self._model, base, layer))

    @property
    def logits(self) -> Mapping[str, Saturation]:
        return {name: step.saturation for name, step in self._steps.items()}

    @cached_property
    def precision(self) -> Precision:
        return precision_of(self._model)

    @cached_property
    def stored(self) -> Mapping[str, str]:
        return stored_dtypes(self._model)

    def resized(self, shapes: Sequence[Shape]) -> "KerasRunner":
        """The same weights in a model that takes these shapes. RunError where a layer is made for its own."""
        if not getattr(self._model, "inputs", None):  # subclassed: its code takes what it takes
            return KerasRunner(self._model, self._dtype, self._where, self._values, fitting(self, shapes))
        if self._values:
            raise RunError("a copy with other values keeps its shapes", where=self._where)
        with in_float(self._dtype), inference(self._dtype):
            model = reshaped(self._model, shapes, self._where)
        return KerasRunner(model, self._dtype, self._where)

    def with_weights(self, change: Change) -> "KerasRunner":
        """The same model, whose floating-point weights are changed while it runs."""
        values = changed_values(self._model, self._values, change)
        return KerasRunner(self._model, self._dtype, self._where, values, self._inputs)

    def with_values(self, values: Iterable[tuple[str, Array]]) -> "KerasRunner":
        """The same model, in which the variables of these keys hold others; `live.read` gives the keys."""
        variables = storage_of(self._model).variables
        held = tuple((variables[key], value) for key, value in values)
        return KerasRunner(self._model, self._dtype, self._where, held, self._inputs)

    def in_double(self) -> "KerasRunner":
        """The same model rebuilt in float64."""
        if self._values or self._dtype != "float32":
            raise RunError("a copy with other values keeps its precision", where=self._where)
        return KerasRunner(rebuilt(self._model, "float64", self._where), "float64", self._where)

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """Outputs in their order, then `layer:<name>` or `logits:<output>` for each of `layers`.

        A layer that is called again has its later activations under `<name>#1`, `<name>#2`. What this run
        does not reach (dropout in attention, a traced loop) is left out. RunError for what is no layer.
        """
        typed = self._typed(feeds)
        with self._computing(f"the model cannot run on {shapes_of(typed)}"):
            outputs, found = self._called(tuple(layers), typed)
            results = [as_array(output) for output in outputs]
            shown = {key: self._shown(key, found[key]) for key in map(key_of, layers) if key in found}
        names = self._outputs if len(results) == len(self._outputs) else unique(["output"] * len(results))
        return dict(zip(names, results, strict=True)) | shown

    def _shown(self, key: str, value: Any) -> Array:
        array = as_array(value)
        is_logits = key.startswith("logits:")
        return self._steps[key.removeprefix("logits:")].moved(array) if is_logits else array

    def given(self, feeds: Mapping[str, Array], layers: Sequence[str]) -> dict[str, tuple[Array, ...]]:
        """What each of these layers is called with first, tensors alone. RunError where it cannot run."""
        typed, calls = self._typed(feeds), dict[str, Call]()
        watched = {name: self._layers[name] for name in layers if name in self._layers}
        with self._computing(f"the model cannot run on {shapes_of(typed)}"), recording_calls(watched, calls):
            self._computed((), [as_tensor(array) for array in typed], self._values)
            given = {name: call.arrays for name, call in calls.items()}
        self._calls = calls
        return given

    def alone(self, layer: str, arrays: Sequence[Array]) -> Array:
        """The first output of one layer for these, called as `given` has seen it called."""
        if layer not in self._calls:
            raise RunError(f"layer {layer!r} was not called", where=self._where)
        with self._computing(f"layer {layer!r} cannot run on {shapes_of(arrays)}"):
            call = self._calls[layer].given(arrays, self._where)
            with holding(self._model, self._values):
                return first_of(self._layers[layer](*call.args, **call.kwargs))

    def rounded(self, feeds: Mapping[str, Array], grids: Mapping[str, Grid], seed: int) -> dict[str, Array]:
        """The outputs, where every layer rounds what it gives; grids: by the names of layers."""
        typed = self._typed(feeds)
        with (
            self._computing(f"the model cannot run on {shapes_of(typed)}"),
            holding(self._model, self._values),
        ):
            outputs = rounded_outputs(self._model, [as_tensor(array) for array in typed], grids, seed)
            return dict(zip(self._outputs, map(as_array, outputs), strict=True))

    @contextmanager
    def _computing(self, failing: str) -> Iterator[None]:
        """In this model's precision. RunError, beginning with what fails, for whatever is raised."""
        try:
            with in_float(self._dtype), inference(self._dtype):
                yield
        except RunError:
            raise
        except Exception as error:  # whatever a layer, or the backend, raises
            raise RunError(f"{failing}: {first_line(error)}", where=self._where) from error

    def _typed(self, feeds: Mapping[str, Array]) -> list[Array]:
        return [spec.typed(feeds[spec.name]) for spec in self._inputs]

    def _called(self, layers: tuple[str, ...], arrays: list[Array]) -> Found:
        """As for free lengths of any size where a sum takes another axis for the very lengths of these."""
        tensors = [as_tensor(array) for array in arrays]
        with misplaced_sums() as misplaced:
            found = self._computed_somehow(layers, tensors)
        if not misplaced:
            return found
        given = [variable.value for variable in self._model.variables], tensors
        predicted = self._predictions.run(partial(self._traced, layers), given, self._inputs, layers)
        self.remarks = always_misplaced(self._predictions.misplaced if predicted else misplaced)
        return predicted or found

    def _computed_somehow(self, layers: tuple[str, ...], tensors: list[Any]) -> Found:
        """Compiled where that pays; a layer that runs in eager mode alone is run so from then on."""
        function = self._function(layers)
        if function is not None:
            try:
                outputs, found = function([v.value for v in self._model.variables], tensors)
                return outputs, found
            except Exception:  # noqa: BLE001  # the eager run below says what is wrong, if anything is
                eager = self._directly(layers, tensors)
                self._compiled[layers] = None
                return eager
        return self._directly(layers, tensors)

    def _function(self, layers: tuple[str, ...]) -> Callable[..., Any] | None:
        if not self._is_stepwise:
            return None
        if layers not in self._compiled:
            self._compiled[layers] = compiled(partial(self._traced, layers))
        return self._compiled[layers]

    def _traced(self, layers: tuple[str, ...], values: list[Any], tensors: list[Any]) -> Found:
        held = tuple(zip(self._model.variables, values, strict=True))
        outputs, found = self._computed(layers, tensors, (*held, *self._values))
        return outputs, {key: value for key, value in found.items() if is_of_graph(value, tensors[0])}

    def _directly(self, layers: tuple[str, ...], tensors: list[Any]) -> Found:
        outputs, found = self._computed(layers, tensors, self._values)
        return outputs, {key: value for key, value in found.items() if is_concrete(value)}

    def _computed(self, layers: tuple[str, ...], tensors: list[Any], values: Values) -> Found:
        found: dict[str, Any] = {}
        watching = observing(layers, self._layers, self._steps, found, self._where)
        with holding(self._model, values), watching:
            outputs = called(self._model, self._inputs, tensors)
        return keras.tree.flatten(outputs), found
