"""WB109: values that are stored as integers of 8 bits or less, and whether their scales are known."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from weightbridge.errors.diagnostics import Finding, finding, listed, with_severity
from weightbridge.formats.onnx.layers import Folded
from weightbridge.formats.onnx.tensors import dtype_name
from weightbridge.formats.quantised import applied

SHOWN = 3  # names in a finding


def quantised_findings(found: Folded) -> Iterator[Finding]:
    """One for the tensors whose floats are computed, one for those whose scale is not known."""
    computed = [name for name, header in found.headers.items() if header.scaling is not None]
    if computed:
        yield _computed(found, computed)
    codes = [layer.tensors for layer in found.layers if layer.attributes.get("quantised")]
    unknown = [t.name for tensors in codes for t in tensors if "int" in t.dtype]
    if unknown:
        yield with_severity(_unknown(found, unknown), "error")


def _computed(found: Folded, names: Sequence[str]) -> Finding:
    count = "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"
    message = (
        f"{count} stored as {_stored(found, names)}; the weights are computed as (value - zero point) x scale"
    )
    return applied(f"{message}: {listed(names, SHOWN)}", names[0])


def _unknown(found: Folded, names: Sequence[str]) -> Finding:
    count = "1 tensor holds" if len(names) == 1 else f"{len(names)} tensors hold"
    message = (
        f"{count} quantised values ({_stored(found, names)}) whose scale is not known: {listed(names, SHOWN)}"
    )
    fix = "Give the model as it was before it was quantised"
    return finding("WB109", message, source=names[0], fix=fix)


def _stored(found: Folded, names: Sequence[str]) -> str:
    """The dtypes in the file: `int8, uint8`."""
    headers = (replace(found.headers[name], scaling=None) for name in names)
    return ", ".join(sorted({dtype_name(header) for header in headers}))
