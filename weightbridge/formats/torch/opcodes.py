"""What each opcode of a pickle does to the inert machine: containers grow, calls are described."""

from collections.abc import Callable, Mapping
from typing import Any

from weightbridge.formats.torch.calls import call
from weightbridge.formats.torch.globals import is_dangerous, is_known, persistent
from weightbridge.formats.torch.machine import PAIR, SLOT, STEP, Machine, popped_to_mark, spend
from weightbridge.formats.torch.values import Malformed, Name, Object, Storage


def _nothing(machine: Machine, argument: Any) -> None:
    pass


def _push(value: Any) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.stack.append(value)


def _push_new(kind: Callable[[], Any]) -> Callable[[Machine, Any], None]:
    def handler(machine: Machine, _: Any) -> None:
        spend(machine, 40)
        machine.stack.append(kind())

    return handler


def _mark(machine: Machine, _: Any) -> None:
    machine.marks.append(len(machine.stack))


def _pop(machine: Machine, _: Any) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.stack.pop()


def _tuple(machine: Machine, _: Any) -> None:
    machine.stack.append(tuple(popped_to_mark(machine)))


def _tuple_of(count: int) -> Callable[[Machine, Any], None]:
    def handler(machine: Machine, _: Any) -> None:
        if len(machine.stack) < count:
            raise IndexError
        items = tuple(machine.stack[-count:])
        machine.stack[-count:] = [items]
        spend(machine, 40)

    return handler


def _list(machine: Machine, _: Any) -> None:
    machine.stack.append(popped_to_mark(machine))


def _append(machine: Machine, _: Any) -> None:
    item = machine.stack.pop()
    _extend(machine, machine.stack[-1], [item])


def _appends(machine: Machine, _: Any) -> None:
    items = popped_to_mark(machine)
    _extend(machine, machine.stack[-1], items)


def _extend(machine: Machine, target: Any, items: list[Any]) -> None:
    spend(machine, SLOT * len(items))
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Object):
        target.held.extend(items)
    else:
        raise Malformed("an item is appended to no list")


def _dict(machine: Machine, _: Any) -> None:
    items = popped_to_mark(machine)
    machine.stack.append({})
    _update(machine, machine.stack[-1], items)


def _set_item(machine: Machine, _: Any) -> None:
    value = machine.stack.pop()
    key = machine.stack.pop()
    _update(machine, machine.stack[-1], [key, value])


def _set_items(machine: Machine, _: Any) -> None:
    items = popped_to_mark(machine)
    _update(machine, machine.stack[-1], items)


def _update(machine: Machine, target: Any, items: list[Any]) -> None:
    if not isinstance(target, dict | Object) or len(items) % 2:
        raise Malformed("an item is set in no dict")
    spend(machine, PAIR * len(items) // 2)
    if isinstance(target, dict):
        for i in range(0, len(items), 2):
            target[_key(items[i], len(target))] = items[i + 1]
    else:
        target.held.extend(items[1::2])


def _key(key: Any, count: int) -> Any:
    """Keys that could be slow or deep to hash are replaced by a number: nobody looks tensors up by them."""
    is_small_number = type(key) is int and abs(key) < 1 << 60
    is_cheap = is_small_number or type(key) in (str, bool)
    return key if is_cheap else f"#{count}"


def _get(machine: Machine, index: Any) -> None:
    machine.stack.append(machine.memo[index])


def _put(machine: Machine, index: Any) -> None:
    if not 0 <= index < 1 << 32:
        raise Malformed("a memo's number that is none")
    spend(machine, STEP)
    machine.memo[index] = machine.stack[-1]


def _memoize(machine: Machine, _: Any) -> None:
    _put(machine, len(machine.memo))


def _global(machine: Machine, argument: Any) -> None:
    _named(machine, argument.replace(" ", ".", 1))


def _stack_global(machine: Machine, _: Any) -> None:
    name = machine.stack.pop()
    module = machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise Malformed("a name that is no text")
    _named(machine, f"{module}.{name}")


def _named(machine: Machine, text: str) -> None:
    spend(machine, 64 + len(text))
    if not is_known(text, machine.is_script):
        names = machine.refused if is_dangerous(text) else machine.foreign
        names.setdefault(text, machine.at)
    machine.stack.append(Name(text))


def _extension(machine: Machine, code: Any) -> None:
    name = f"extension {code} of copyreg"
    machine.refused.setdefault(name, machine.at)
    machine.stack.append(Name(name))


def _reduce(machine: Machine, _: Any) -> None:
    arguments = machine.stack.pop()
    function = machine.stack.pop()
    call(machine, function, arguments)


def _new_with_keywords(machine: Machine, _: Any) -> None:
    machine.stack.pop()
    _reduce(machine, None)


def _instance(machine: Machine, argument: Any) -> None:
    arguments = tuple(popped_to_mark(machine))
    _global(machine, argument)
    call(machine, machine.stack.pop(), arguments)


def _object(machine: Machine, _: Any) -> None:
    function, *arguments = popped_to_mark(machine)
    call(machine, function, tuple(arguments))


def _build(machine: Machine, _: Any) -> None:
    """The state of an object; that of a dict or a tensor (`_metadata`, hooks) is no weight."""
    state = machine.stack.pop()
    target = machine.stack[-1]
    if isinstance(target, Object):
        target.state = state


def _persistent(machine: Machine, _: Any) -> None:
    spend(machine, PAIR)
    value = persistent(machine.stack.pop())
    machine.stack.append(value)
    if isinstance(value, Storage):
        machine.storages.setdefault(value.key, value)


def _refused_kind(machine: Machine, _: Any) -> None:
    raise Malformed("an opcode that PyTorch never writes")


HANDLERS: Mapping[str, Callable[[Machine, Any], None]] = {  # all others push their argument
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    "NONE": _push(None),
    "NEWTRUE": _push(True),
    "NEWFALSE": _push(False),
    "EMPTY_TUPLE": _push(()),
    "EMPTY_LIST": _push_new(list),
    "EMPTY_DICT": _push_new(dict),
    "EMPTY_SET": _push_new(list),
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": lambda machine, _: popped_to_mark(machine).clear(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "TUPLE": _tuple,
    **{f"TUPLE{n}": _tuple_of(n) for n in (1, 2, 3)},
    "LIST": _list,
    "FROZENSET": _list,
    "APPEND": _append,
    **dict.fromkeys(("APPENDS", "ADDITEMS"), _appends),
    "DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    "MEMOIZE": _memoize,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extension),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _reduce),
    "NEWOBJ_EX": _new_with_keywords,
    "INST": _instance,
    "OBJ": _object,
    "BUILD": _build,
    "BINPERSID": _persistent,
    **dict.fromkeys(("PERSID", "NEXT_BUFFER", "READONLY_BUFFER"), _refused_kind),
}
