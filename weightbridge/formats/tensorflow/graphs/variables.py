"""Which stored variable each variable of a graph is: by its name, or as the graph itself restores it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from weightbridge.formats.tensorflow.graphs.inline import Flat
from weightbridge.formats.tensorflow.graphs.messages import Attributes, Operation, constant_span
from weightbridge.formats.wire import Buffer, fields, text
from weightbridge.model.tensors import Tensor

RESTORE = "RestoreV2"
HANDLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
ASSIGNMENTS = frozenset({"AssignVariableOp", "Assign"})


def variables_of(flat: Flat, data: Buffer, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the value of a variable: its tensor. stored: by the checkpoint's keys."""
    names = _by_their_names(flat, data, stored)
    restored, copies = _restored(flat, data), _copies(flat)
    variables: dict[str, Tensor] = {}
    for handle, named in names.items():
        tensor = named or stored.get(restored.get(handle, ""))
        copy = None if named else stored.get(restored.get(copies.get(handle, ""), ""))
        if tensor is not None and _fits(flat, data, handle, tensor):
            variables[handle] = tensor if copy is None else replace(tensor, name=copy.name)
    return variables


def _by_their_names(flat: Flat, data: Buffer, stored: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """By the value of a variable: the tensor of its name; None where there is none, or several share it."""
    by_name = {tensor.name: tensor for tensor in stored.values()}
    handles = {o.name: _shared_name(data, o) for o in flat.operations if o.op in HANDLES}
    counts = Counter(handles.values())
    own = {handle: shared if counts[shared] == 1 else handle for handle, shared in handles.items()}
    return {handle: by_name.get(handle) or by_name.get(own[handle]) for handle in handles}


def _copies(flat: Flat) -> dict[str, str]:
    """By the value of a variable: the one that begins with its value.

    Keras 3 exports such copies: what is served is restored by keys without names, the copies have them.
    """
    copies: dict[str, str] = {}
    for copy, value in _assignments(flat):
        original = _variable_read(flat, value)
        if original:
            copies.setdefault(original, copy)
    return copies


def _assignments(flat: Flat) -> Iterator[tuple[str, str]]:
    """What is assigned to, and the value that it gets."""
    for operation in flat.operations:
        if operation.op in ASSIGNMENTS and len(operation.inputs) > 1:
            target, value = operation.inputs[:2]
            yield flat.source(target), flat.source(value)


def _variable_read(flat: Flat, value: str) -> str:
    """The variable whose value this is, "" for any other value."""
    read = flat.by_name.get(value)
    if read is None or read.op != "ReadVariableOp" or not read.inputs:
        return ""
    return flat.source(read.inputs[0])


def _shared_name(data: Buffer, handle: Operation) -> str:
    return Attributes(data, handle.attributes).text("shared_name") or handle.name


def _fits(flat: Flat, data: Buffer, handle: str, tensor: Tensor) -> bool:
    """Whether a tensor has the shape that the graph says of a variable."""
    shape = Attributes(data, flat.by_name[handle].attributes).shape("shape")
    if shape is None:
        return True
    return len(shape) == len(tensor.shape) and all(
        n in (None, m) for n, m in zip(shape, tensor.shape, strict=True)
    )


def _restored(flat: Flat, data: Buffer) -> dict[str, str]:
    """By the value of a variable: the key that it is restored from."""
    keys: dict[str, str] = {}
    for handle, value in _assignments(flat):
        key = _restored_key(flat, data, value)
        if key:
            keys.setdefault(handle, key)
    return keys


def _restored_key(flat: Flat, data: Buffer, value: str) -> str:
    """The key of one of a restoring operation's outputs, "" for any other value."""
    name, _, place = value.partition(":")
    operation = flat.by_name.get(name)
    if operation is None or operation.op != RESTORE or len(operation.inputs) < 2:
        return ""
    constant = flat.by_name.get(flat.source(operation.inputs[1]))
    keys = [] if constant is None else _texts(data, constant)
    number = int(place or 0)
    return keys[number] if number < len(keys) else ""


def _texts(data: Buffer, constant: Operation) -> list[str]:
    """The strings of a constant."""
    span = constant_span(data, constant)
    return [text(data, part) for part in fields(data, span) if part.number == 8] if span is not None else []
