"""Sums along another axis than Keras documents, which its TensorFlow backend computes for some shapes.

It takes the second term for a bias where that is a vector but for axes of length one, and adds it along the
last axis or axis 1 if one of these is as long: (2, 2) + (2, 1) in a batch of two, (1, 6, 1, 1) where a width
is 6. What is traced for batches of any length has no such fault where it is the batch's length that fits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import keras

from weightbridge.formats.keras.framework.backends import predicting
from weightbridge.formats.keras.framework.runs.logits import replaced
from weightbridge.formats.running import InputSpec

TENSORFLOW = "keras.src.backend.tensorflow.numpy"
Shape = Sequence[int | None]


class Predictions:
    """Functions of variables' values and inputs, traced for free lengths of any size.

    misplaced: the sums of the last run that take another axis even so.
    """

    def __init__(self) -> None:
        self._traced: dict[tuple[str, ...], tuple[Callable[..., Any], list[str]]] = {}
        self.misplaced: list[str] = []

    def run(
        self,
        function: Callable[..., Any],
        arguments: tuple[list[Any], list[Any]],
        specs: Sequence[InputSpec],
        key: tuple[str, ...],
    ) -> tuple[list[Any], dict[str, Any]] | None:
        """None where the function cannot be traced for that."""
        values, tensors = arguments
        if key not in self._traced:
            inputs = [(spec.shape, tensor.dtype) for spec, tensor in zip(specs, tensors, strict=True)]
            self._traced[key] = predicting(function, values, inputs), []
        traced, misplaced = self._traced[key]
        try:
            with misplaced_sums() as listed:
                outputs, found = traced(values, tensors)
        except Exception:  # noqa: BLE001  # whatever tracing raises: what is computed step by step stands
            return None
        misplaced += listed  # while it is traced, in its first run
        self.misplaced = misplaced
        return outputs, found


def always_misplaced(shapes: Sequence[str]) -> tuple[str, ...]:
    """What is said of such sums where they explain a difference."""
    known = "Keras's own sum on TensorFlow takes another axis than on JAX and torch at"
    return tuple(f"{known} {shape}" for shape in shapes[:1])


@contextmanager
def misplaced_sums() -> Iterator[list[str]]:
    """While open, sums along a wrong axis are listed; what is computed stays as it is."""
    found: list[str] = []
    if keras.backend.backend() != "tensorflow":
        yield found
        return
    numpy = import_module(TENSORFLOW)
    with replaced(numpy, "add", _listing(numpy.add, found)):
        yield found


def is_misplaced(inputs: Shape, bias: Shape) -> bool:
    """Whether Keras's `add` on TensorFlow takes another axis for these shapes than broadcasting does."""
    long = [(axis, n) for axis, n in enumerate(bias) if n != 1]
    if len(inputs) < 2 or len(long) != 1:
        return False
    axis, n = long[0]
    if n is None or n not in (inputs[1], inputs[-1]):
        return False
    taken = len(inputs) - 1 if inputs[-1] == n else 1
    return taken != axis + len(inputs) - len(bias)


def _listing(add: Callable[..., Any], found: list[str]) -> Callable[..., Any]:
    def listed(x1: Any, x2: Any) -> Any:
        inputs, bias = _shape(x1), _shape(x2)
        if is_misplaced(inputs, bias):
            found.append(f"{inputs} + {bias}")
        return add(x1, x2)

    return listed


def _shape(term: Any) -> tuple[int | None, ...]:
    """None where the number of axes is unknown too, which no rule of this kind reads."""
    shape = getattr(term, "shape", ())
    return () if getattr(shape, "rank", 0) is None else tuple(shape)
