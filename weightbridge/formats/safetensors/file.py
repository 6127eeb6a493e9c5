"""safetensors: read from its header, written as a patched copy or a new file, tensor by tensor."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from weightbridge.errors import Corrupt, MissingFile, OutputError, Unsupported
from weightbridge.formats.safetensors.header import DAMAGED, NAMES, Entry, read_header
from weightbridge.formats.safetensors.shards import contents
from weightbridge.formats.state_dicts import StateDict, asked_of, graph_of
from weightbridge.formats.streamed import LittleEndian, Run, Value, as_stored, pieces_of
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor, dtype_of

ALIGNMENT = 8  # bytes
PRODUCERS = {"pt": "PyTorch", "tf": "TensorFlow", "np": "numpy", "flax": "Flax", "mlx": "MLX"}


def read(path: Path, arguments: Mapping[str, Any] | None = None) -> LayerGraph:
    """The layers of a safetensors file, or of the shards that an index or a folder names, by scopes.

    Raises a ModelError.
    """
    asked = asked_of(arguments)
    held = contents(path)
    tensors = tuple(_tensor(stored.path, stored.entry) for stored in held.stored)
    producer = PRODUCERS.get(held.producer, "")
    graph = graph_of(str(path), "safetensors", producer, StateDict(tensors, findings=held.findings), asked)
    return replace(graph, files=tuple(map(str, held.files)))


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Value]]) -> None:
    """A copy of the template with the given tensors' bytes replaced; one file, also where it has several.

    Raises OutputError.
    """
    path = Path(template.path)
    if template.files:
        _merge(path, output)
    header = read_header(output if template.files else path)
    places = {entry.name: entry.start for entry in header.entries}
    try:
        if not template.files:
            shutil.copyfile(path, output)
        with output.open("r+b") as target:
            for tensor, value in values:
                target.seek(places[tensor.key])
                _put(target, tensor, value)
    except OSError as error:
        raise _unwritable(output, error) from error


def _merge(path: Path, output: Path) -> None:
    """One file of all the tensors of several."""
    held = contents(path)
    metadata = {"format": held.producer} if held.producer else {}
    write_new(output, [_tensor(stored.path, stored.entry) for stored in held.stored], metadata)


def write_new(output: Path, tensors: Sequence[Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """A new file with these tensors, loaded and written one after the other.

    Raises OutputError, or Unsupported for a dtype.
    """
    names = [t.name for t in tensors]
    assert len(set(names)) == len(names), "tensors need unique names"
    header = _header(output, tensors, metadata or {})
    try:
        with output.open("wb") as target:
            target.write(len(header).to_bytes(8, "little") + header)
            for tensor in tensors:
                _put(target, tensor, as_stored(tensor))
    except OSError as error:
        raise _unwritable(output, error) from error


def _header(output: Path, tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> bytes:
    declared: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for tensor in tensors:
        if tensor.dtype not in NAMES:
            raise Unsupported(
                f"safetensors has no dtype {tensor.dtype}",
                where=f"{output}: {tensor.name}",
                fix="Write another format",
            )
        start = end
        end += tensor.nbytes
        declared[tensor.name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(declared, separators=(",", ":")).encode()
    padding = -len(text) % ALIGNMENT
    return text + b" " * padding


def _put(target: BinaryIO, tensor: Tensor, value: Value) -> None:
    dtype = dtype_of(tensor.dtype)
    assert (value.shape, value.dtype) == (tensor.shape, dtype), (
        f"{tensor.name}: {value.dtype}{value.shape} into {dtype}{tensor.shape}"
    )
    for piece in pieces_of(value, dtype.newbyteorder("<")):
        target.write(piece)


def _tensor(path: Path, entry: Entry) -> Tensor:
    run = Run(path, entry.start, entry.nbytes, f"{path}: {entry.name}")
    plain = partial(_load, path, entry)
    load = plain if entry.bits % 8 else LittleEndian(plain, run)
    return Tensor(entry.name, "", entry.shape, entry.dtype, entry.name, load)


def _load(path: Path, entry: Entry) -> Array:
    where = f"{path}: {entry.name}"
    if entry.bits % 8:
        raise Unsupported(
            f"the dtype {entry.dtype} is not supported",
            where=where,
            fix="Save the model with 8-bit weights or wider ones",
        )
    try:
        with path.open("rb") as file:
            file.seek(entry.start)
            data = np.fromfile(file, np.uint8, entry.nbytes)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(path), fix="Check its permissions"
        ) from error
    if data.size != entry.nbytes:
        raise Corrupt(f"{entry.nbytes} bytes expected, {data.size} found", where=where, fix=DAMAGED)
    stored = dtype_of(entry.dtype).newbyteorder("<")
    return data.view(stored).reshape(entry.shape)


def _unwritable(output: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot be written: {error.strerror}",
        where=str(output),
        fix="Check the space and the permissions there",
    )
