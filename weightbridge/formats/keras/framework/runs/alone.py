"""One layer of a Keras model run on its own, called as the model calls it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.keras.framework.backends import as_array, as_tensor, is_concrete
from weightbridge.formats.keras.framework.runs.logits import replaced
from weightbridge.model.tensors import Array, dtype_of


@dataclass(frozen=True, slots=True)
class Call:
    """What a layer was called with: tensors, and whatever else stands beside them."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The tensors, in the order in which they stand."""
        return tuple(as_array(leaf) for leaf in self._leaves() if _is_tensor(leaf))

    def given(self, arrays: Sequence[Array], where: str) -> "Call":
        """The same call with other values. RunError for another number of them, or other ranks."""
        own = [leaf for leaf in self._leaves() if _is_tensor(leaf)]
        if [len(leaf.shape) for leaf in own] != [array.ndim for array in arrays]:
            raise RunError(f"it takes other inputs than {len(arrays)}", where=where)
        typed = [array.astype(_dtype(leaf)) for leaf, array in zip(own, arrays, strict=True)]
        left = iter(typed)
        args, kwargs = keras.tree.map_structure(
            lambda leaf: as_tensor(next(left)) if _is_tensor(leaf) else leaf,
            (self.args, dict(self.kwargs)),
        )
        return Call(args, kwargs)

    def _leaves(self) -> list[Any]:
        leaves: list[Any] = keras.tree.flatten((self.args, dict(self.kwargs)))
        return leaves


@contextmanager
def recording_calls(layers: Mapping[str, Any], calls: dict[str, Call]) -> Iterator[None]:
    """While open, the first call of each layer is kept under its name."""
    with ExitStack() as stack:
        for name, layer in layers.items():
            stack.enter_context(replaced(layer, "call", _recorded(name, layer.call, calls)))
        yield


def _recorded(name: str, original: Any, calls: dict[str, Call]) -> Any:
    def recording(*args: Any, **kwargs: Any) -> Any:
        calls.setdefault(name, Call(args, kwargs))
        return original(*args, **kwargs)

    return recording


def first_of(result: Any) -> Array:
    """The first output of a layer."""
    return as_array(keras.tree.flatten(result)[0])


def _is_tensor(leaf: Any) -> bool:
    has_shape = hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    return has_shape and is_concrete(leaf)


def _dtype(leaf: Any) -> Any:
    return dtype_of(keras.backend.standardize_dtype(leaf.dtype))
