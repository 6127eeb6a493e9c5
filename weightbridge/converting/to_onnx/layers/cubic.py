"""Bicubic resizing as TensorFlow computes it: between two pixels it knows 1,024 places, ONNX's Resize all."""

from collections.abc import Sequence
from string import ascii_lowercase

from weightbridge.converting.to_onnx.call import Call
from weightbridge.converting.to_onnx.values import Value
from weightbridge.model.tensors import Array
from weightbridge.transforms.interpolation import interpolation, is_in_table

COEFFICIENT = -0.5
Lengths = Sequence[int | None]


def is_exact(before: Lengths, after: Lengths) -> bool:
    """Whether a Resize gives what Keras gives; None for lengths that are not known."""
    pairs = zip(before, after, strict=True)
    return all(a == b or (a is not None and b is not None and is_in_table(a, b)) for a, b in pairs)


def doubles(scale: Sequence[int]) -> bool:
    """Whether whole factors put all pixels on places of the table, whatever the lengths are."""
    return all(is_in_table(8, 8 * int(factor)) for factor in scale)


def by_matrices(call: Call, value: Value, shape: Lengths, axes: Sequence[int]) -> Value:
    """One axis after the other as a product with a matrix. axes: of Keras's shape."""
    letters, name = ascii_lowercase[: value.rank], value.name
    for axis in axes:
        before, after, place = value.shape[axis], shape[axis], value.place(axis)
        if before is None or after is None:
            message = (
                "interpolates by bicubic to places between pixels that TensorFlow rounds and ONNX does not"
            )
            raise call.refused(f"{message} (7e-4 of the result), with lengths that are not known")
        matrix = call.writer.constant("shares", _matrix(before, after))
        old, new = letters[place], ascii_lowercase[value.rank]
        equation = f"{letters},{old}{new}->{letters.replace(old, new)}"
        name = call.writer.op("Einsum", name, matrix, equation=equation)
    return Value(name, tuple(shape), value.order)


def _matrix(before: int, after: int) -> Array:
    told = {"length": before, "size": after, "scale": after / before, "coordinates": "half_pixel"}
    return interpolation((), {**told, "mode": "cubic", "cubic": COEFFICIENT, "exclude": True, "table": True})
