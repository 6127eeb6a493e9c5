"""An interpreter of pickles that executes nothing: it makes containers and inert descriptions.

The opcodes are decoded by pickletools. A name that is not known is noted and stands for itself; when all is
read, the file is refused with
the names. Work and memory are bounded by the size of the file, nesting costs nothing, and nothing is compared
or hashed but short keys.
"""

import pickletools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from weightbridge.diagnostics import listed
from weightbridge.errors import Corrupt, ResourceBomb, UnsafeContent, WeightbridgeError
from weightbridge.formats.torch.machine import STEP, Machine
from weightbridge.formats.torch.opcodes import HANDLERS
from weightbridge.formats.torch.values import Malformed, Storage

DAMAGED = "The file may be truncated or damaged: copy or download it again"
PICKLE_LIMIT = 128 << 20  # bytes; half a million tensors
FLOOR, CEILING = 32 << 20, 1 << 29  # bytes of objects that a small file may make, and any file
FACTOR = 16  # and for each byte of the file


class Reader(Protocol):
    """An open file or a map of one: what pickletools reads from."""

    def read(self, n: int, /) -> bytes: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Pickled:
    """A value, and all storages that its pickle names, by key."""

    value: Any
    storages: Mapping[str, Storage]


def interpret(source: bytes | Reader, place: str, file_size: int, is_script: bool = False) -> Pickled:
    """The value of the pickle that begins where the source stands; the source is left behind it.

    place: what messages call it. Raises UnsafeContent (with the names), Corrupt or ResourceBomb.
    """
    memory = min(FLOOR + FACTOR * file_size, CEILING)
    machine = Machine(place, is_script, memory)
    try:
        value = _run(machine, source)
    except WeightbridgeError:
        raise
    except Exception as error:  # pickletools raises whatever the bytes provoke
        raise _unsafe(machine) if machine.refused else _malformed(machine, error) from error
    if machine.refused:
        raise _unsafe(machine)
    return Pickled(value, machine.storages)


def _run(machine: Machine, source: bytes | Reader) -> Any:
    for opcode, argument, at in pickletools.genops(source):  # type: ignore[arg-type]  # a Reader will do
        machine.at = at or 0
        machine.left -= STEP
        if opcode.name == "STOP":
            return machine.stack.pop()
        handler = HANDLERS.get(opcode.name)
        if handler is None:
            machine.stack.append(argument)
        else:
            handler(machine, argument)
        if machine.left < 0:
            raise ResourceBomb(
                "the pickle makes far more objects than the file's size explains",
                where=f"{machine.place}, byte {machine.at}",
                fix="Do not use it unless you trust where it comes from; there, save the state dict alone",
            )
    raise Malformed("it ends without its last opcode")


def _malformed(machine: Machine, error: Exception) -> Corrupt:
    message = "the pickle is malformed"
    if isinstance(error, Malformed | ValueError) and str(error):
        message += f": {error}"
    return Corrupt(message[:300], where=f"{machine.place}, byte {machine.at}", fix=DAMAGED)


def _unsafe(machine: Machine) -> UnsafeContent:
    names = list(machine.refused)
    shown = listed([name[:120] for name in names], 4)
    first = names[0]
    if _is_class(first):
        kinds = "a class" if len(names) == 1 else "classes"
        message = f"pickled objects of {kinds} whose code would have to be run: {shown}"
        fix = (
            "Where its code is, save the weights alone: torch.save(model.state_dict(), path),"
            " or safetensors.torch.save_file"
        )
    else:
        message = f"the pickle calls {shown}: loading it would execute that"
        fix = (
            "Do not load it in PyTorch unless you trust where it comes from;"
            " there, save the weights alone, as safetensors"
        )
    return UnsafeContent(message, where=f"{machine.place}, byte {machine.refused[first]}", fix=fix)


def _is_class(name: str) -> bool:
    """By the naming conventions of Python: `models.yolo.Model`, not `os.system`."""
    last = name.rpartition(".")[2]
    return last[:1].isupper() and not name.startswith(("os.", "posix.", "nt.", "subprocess.", "ctypes."))
