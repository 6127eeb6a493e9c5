"""safetensors: read from its header alone, written as a patched copy or as a new file, one tensor at a time."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from weightbridge.errors import Corrupt, MissingFile, OutputError, Unsupported
from weightbridge.formats.safetensors_header import DAMAGED, NAMES, Entry, read_header
from weightbridge.formats.safetensors_layers import framework_of, is_state, layers_of
from weightbridge.graph import Excluded, LayerGraph
from weightbridge.tensors import Array, Tensor, dtype_of

CHUNK = 1 << 24
PRODUCERS = {"pt": "PyTorch", "tf": "TensorFlow", "np": "numpy", "flax": "Flax", "mlx": "MLX"}


def read(path: Path) -> LayerGraph:
    """The layers of a safetensors file, by the scopes of its names. Raises a ModelError."""
    header = read_header(path)
    state = [e for e in header.entries if is_state(e.name, e.dtype)]
    tensors = tuple(_tensor(path, e) for e in header.entries if not is_state(e.name, e.dtype))
    framework = framework_of([t.name for t in tensors])
    layers = layers_of(tensors, framework)
    return LayerGraph(
        path=str(path),
        format="safetensors",
        framework=framework,
        producer=PRODUCERS.get(header.metadata.get("format", ""), ""),
        layers=layers,
        edges=tuple((a.name, b.name, 0) for a, b in pairwise(layers)),
        has_flow=False,
        excluded=tuple(Excluded(e.name, "state", prod(e.shape)) for e in sorted(state, key=lambda e: e.name)),
    )


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Array]]) -> None:
    """A copy of the template's file with the given tensors' bytes replaced. Raises OutputError."""
    path = Path(template.path)
    entries = {e.name: e for e in read_header(path).entries}
    try:
        with path.open("rb") as source, output.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK)
            for tensor, array in values:
                target.seek(entries[tensor.key].start)
                _put(target, tensor, array)
    except OSError as error:
        raise _unwritable(output, error) from error


def write_new(output: Path, tensors: Sequence[Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """A new file with these tensors, loaded and written one after the other. Raises OutputError, or Unsupported for a dtype."""
    names = [t.name for t in tensors]
    assert len(set(names)) == len(names), "tensors need unique names"
    header = _header(output, tensors, metadata or {})
    try:
        with output.open("wb") as target:
            target.write(len(header).to_bytes(8, "little") + header)
            for tensor in tensors:
                _put(target, tensor, tensor.load())
    except OSError as error:
        raise _unwritable(output, error) from error


def _header(output: Path, tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> bytes:
    found: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for tensor in tensors:
        if tensor.dtype not in NAMES:
            raise Unsupported(f"safetensors has no dtype {tensor.dtype}", where=f"{output}: {tensor.name}", fix="Write another format")
        found[tensor.name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    text = json.dumps(found, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def _put(target: BinaryIO, tensor: Tensor, array: Array) -> None:
    dtype = dtype_of(tensor.dtype)
    assert (array.shape, array.dtype) == (tensor.shape, dtype), f"{tensor.name}: {array.dtype}{array.shape} into {dtype}{tensor.shape}"
    target.write(np.ascontiguousarray(array, dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data)


def _tensor(path: Path, entry: Entry) -> Tensor:
    return Tensor(entry.name, "", entry.shape, entry.dtype, entry.name, partial(_load, path, entry))


def _load(path: Path, entry: Entry) -> Array:
    where = f"{path}: {entry.name}"
    if entry.bits % 8:
        raise Unsupported(f"the dtype {entry.dtype} is not supported", where=where, fix="Save the model with 8-bit weights or wider ones")
    try:
        with path.open("rb") as file:
            file.seek(entry.start)
            found = np.fromfile(file, np.uint8, entry.nbytes)
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=str(path), fix="Check its permissions") from error
    if found.size != entry.nbytes:
        raise Corrupt(f"{entry.nbytes} bytes expected, {found.size} found", where=where, fix=DAMAGED)
    return found.view(dtype_of(entry.dtype).newbyteorder("<")).reshape(entry.shape)


def _unwritable(output: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror}", where=str(output), fix="Check the space and the permissions there")
