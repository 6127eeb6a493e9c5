"""Read-back: the bytes that OUTPUT holds against those that the plan gives, without tolerance."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from weightbridge.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor, dtype_of


@dataclass(frozen=True, slots=True)
class Readback:
    """How many tensors were read back, how many had equal bytes, and a finding for each that had not."""

    compared: int
    equal: int
    findings: tuple[Finding, ...]


def readback(expected: Iterable[tuple[str, Array]], written: LayerGraph) -> Readback:
    """Compare each expected value (by the written graph's tensor name) with what is stored; one tensor at a
    time in memory.

    Shapes and dtypes must agree too; NaN equals NaN of the same bits. Nothing to compare is WB504.
    """
    tensors = {tensor.name: tensor for tensor in written.tensors}
    count, findings = 0, []
    for name, value in expected:
        count += 1
        problem = _problem(value, tensors.get(name))
        if problem:
            findings.append(
                finding(
                    "WB904",
                    f"{written.path}: {name}: {problem}",
                    target=name,
                    fix="write OUTPUT again, on a disk that is sound",
                )
            )
    if count == 0:
        findings.append(
            finding(
                "WB504", f"{written.path}: no tensor was read back", fix="look at the plan: it writes nothing"
            )
        )
    return Readback(count, count - sum(f.code == "WB904" for f in findings), tuple(findings))


def _problem(value: Array, tensor: Tensor | None) -> str:
    if tensor is None:
        return "expected in OUTPUT, and is not there"
    stored = tensor.load()
    if stored.shape != value.shape or stored.dtype != value.dtype or value.dtype != dtype_of(tensor.dtype):
        return f"expected {value.shape} {value.dtype}, read back {stored.shape} {stored.dtype}"
    changed = int((_bytes(stored) != _bytes(value)).any(axis=-1).sum())
    return (
        f"expected the bytes of the plan, read back others in {changed} of {value.size} elements"
        if changed
        else ""
    )


def _bytes(array: Array) -> Array:
    """One row of bytes for each element."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(array.size, array.dtype.itemsize)
