"""An interpreter of pickles that executes nothing: it makes containers and inert descriptions.

The opcodes are decoded by pickletools. A name that is not known is noted and stands for itself; a file that
calls one, or names a dangerous one, is refused when all is read. Work and memory are bounded by the size of
the file, nesting costs nothing, and nothing is compared
or hashed but short keys.
"""

import pickletools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from weightbridge.errors import Corrupt, ResourceBomb, UnsafeContent, WeightbridgeError
from weightbridge.errors.diagnostics import listed
from weightbridge.formats.torch.globals import is_class, is_dangerous
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
    """A value, and all storages that its pickle names, by key.

    foreign: classes and functions that are no part of PyTorch, by name -> the byte where it stands.
    """

    value: Any
    storages: Mapping[str, Storage]
    foreign: Mapping[str, int] = field(default_factory=dict)


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
        is_unsafe = machine.refused or machine.foreign
        raise _unsafe(machine) if is_unsafe else _malformed(machine, error) from error
    if machine.refused:
        raise _unsafe(machine)
    return Pickled(value, machine.storages, machine.foreign)


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
    """What would have to be run: what is called, then what is only named."""
    called = [name for name in machine.refused if name in machine.called]
    names = called or list(machine.refused) or list(machine.foreign)
    at = (machine.refused | machine.foreign)[names[0]]
    return refusal(names, f"{machine.place}, byte {at}", is_called=bool(called))


def refusal(names: Sequence[str], where: str, is_called: bool = False) -> UnsafeContent:
    """The error for names that only running code could make sense of."""
    shown = listed([name[:120] for name in names], 4)
    if is_class(names[0]) and not is_dangerous(names[0]):
        kinds = "a class" if len(names) == 1 else "classes"
        message = f"pickled objects of {kinds} whose code would have to be run: {shown}"
        fix = (
            "Where its code is, save the weights alone: torch.save(model.state_dict(), path),"
            " or safetensors.torch.save_file"
        )
    else:
        verb = "calls" if is_called else "names"
        message = f"the pickle {verb} {shown}: loading it would execute that"
        fix = (
            "Do not load it in PyTorch unless you trust where it comes from;"
            " there, save the weights alone, as safetensors"
        )
    return UnsafeContent(message, where=where, fix=fix)
