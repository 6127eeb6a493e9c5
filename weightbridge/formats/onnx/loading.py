"""What reads the tensors of a file when they are wanted: their places are checked before."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from weightbridge.formats.onnx.proto import Joined, Scaling, TensorHeader
from weightbridge.formats.onnx.tensors import check, loader, scaled
from weightbridge.model.tensors import Array

Load = Callable[[TensorHeader], Callable[[], Array]]


def loaders(path: Path, size: int, initializers: Iterable[TensorHeader] = ()) -> Load:
    """What makes loaders. size: the file's bytes. Every initializer's place is checked at once."""
    made = {id(t): loader(path, t, check(path, t, size)) for t in initializers}

    def plain(header: TensorHeader) -> Callable[[], Array]:
        ready = made.get(id(header))
        return loader(path, header, check(path, header, size)) if ready is None else ready

    def load(header: TensorHeader) -> Callable[[], Array]:
        if header.joined is not None:
            return _joined(header.joined, load)
        return plain(header) if header.scaling is None else _scaled(header, header.scaling, plain)

    return load


def _joined(told: Joined, load: Load) -> Callable[[], Array]:
    """What loads all parts of a tensor and puts them together."""
    parts = [load(tensor) for tensor in told.tensors]
    return lambda: np.concatenate([part() for part in parts], axis=told.axis)


def _scaled(header: TensorHeader, scaling: Scaling, plain: Load) -> Callable[[], Array]:
    """What loads codes with their scale and makes floats of them."""
    codes, scale, zero, factor = (
        None if tensor is None else plain(tensor)
        for tensor in (header, scaling.scale, scaling.zero, scaling.factor)
    )
    assert codes is not None, "a header has a loader"
    assert scale is not None, "codes without a scale are no floats"
    return lambda: scaled(codes(), scaling, scale(), zero and zero(), factor and factor())
