"""What a checkpoint's variables are called, and which are no weights: by names or by objects."""

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from weightbridge.formats.tensorflow.bundle.entries import STRING, Entry
from weightbridge.formats.tensorflow.tracked import LISTS, OPTIMIZERS, STATE, Reached, Tracked, reached
from weightbridge.model.graph import Reason

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
SLOT = ".OPTIMIZER_SLOT"
SLOTS = re.compile(
    r"(Adam|Momentum|RMSProp|Adagrad|Adadelta|Ftrl|LAMB|Lars)(_\d+)?|(adam|lamb)_[mv]|slot_\w+"
)
OPTIMIZER_SCOPE = re.compile(
    r"(^|/)(optimizer|Adam\w*|SGD|RMSprop|Adagrad|Adadelta|Nadam|Ftrl|LAMB|Momentum)(_\d+)?/"
)
OPTIMIZER_NAMES = re.compile(r"(.*/)?(beta[12]_power(_\d+)?|learning_rate|good_steps|(current_)?loss_scale)")
STATE_NAMES = re.compile(r"(.*/)?(global_step|local_step|save_counter|seed_generator_state)")
AVERAGE = "ExponentialMovingAverage"
UNNAMED = re.compile(r"(.*/)?Variable(_\d+)?")
BOOKKEEPING = (STRING, "bool", "int64", "uint64", "")
COUNTERS = ("bool", "int64", "int32", "uint32", "uint64", "uint8", "int8", "int16", "uint16")


class Named(NamedTuple):
    """A variable: its name, the key of its entry, and why it is no weight (None: it is one)."""

    name: str
    key: str
    reason: Reason | None = None


def by_names(entries: Mapping[str, Entry]) -> list[Named]:
    """Variables of a checkpoint without objects, in the order of the index."""
    named = []
    for key, entry in entries.items():
        reason = _reason(key, entry, entries)
        named.append(Named(key, key, reason))
    return named


class Held(NamedTuple):
    """A variable that an object holds: the way to it, its full name, and why it is no weight."""

    way: Reached
    full_name: str
    reason: Reason | None


def by_objects(nodes: Sequence[Tracked], entries: Mapping[str, Entry]) -> list[Named]:
    """Variables in the order in which objects hold them, then those that no object holds.

    They are called by their full names where these are unique.
    """
    held = _held(nodes, entries)
    weights = [variable for variable in held.values() if variable.reason is None]
    counts = Counter(weight.full_name for weight in weights)
    named = []
    for key, variable in held.items():
        name = _name(key, variable, counts)
        named.append(Named(name, key, variable.reason))
    return _unique([*named, *_unheld(entries, held)])


def _held(nodes: Sequence[Tracked], entries: Mapping[str, Entry]) -> dict[str, Held]:
    """The variables that objects hold, by their keys."""
    held = {}
    for way in reached(nodes):
        node = nodes[way.number]
        if node.key in entries:
            reason = way.reason or _reason_of_key(node.key, entries[node.key], node.full_name)
            held[node.key] = Held(way, re.sub(r":\d+$", "", node.full_name), reason)
    return held


def _unheld(entries: Mapping[str, Entry], held: Container[str]) -> list[Named]:
    unheld = []
    for key, entry in entries.items():
        if key not in held and key != OBJECTS:
            name = key.removesuffix(SUFFIX)
            unheld.append(Named(name, key, _reason_unheld(key, entry)))
    return unheld


def _name(key: str, variable: Held, counts: Mapping[str, int]) -> str:
    """A weight's full name, or the names on the way to it; else its key."""
    plain_key = key.removesuffix(SUFFIX)
    if variable.reason is not None:
        return plain_key
    full_name = variable.full_name
    if "/" in full_name and counts[full_name] == 1 and not UNNAMED.fullmatch(full_name):
        return full_name
    is_detour = not (LISTS | STATE | OPTIMIZERS).isdisjoint(plain_key.split("/"))
    path = variable.way.path if is_detour else ()
    return "/".join(path) or plain_key


def _unique(named: Iterable[Named]) -> list[Named]:
    """Where two have one name, all but the first are called by their keys."""
    seen: set[str] = set()
    unique = []
    for variable in named:
        name = variable.key if variable.name in seen else variable.name
        seen.add(name)
        unique.append(variable._replace(name=name))
    return unique


def _reason(name: str, entry: Entry, names: Collection[str]) -> Reason | None:
    """Why a variable is no weight, by its name.

    One below another one, as `kernel/Adam` is below `kernel`, is an optimizer's or an average of it.
    """
    parent, _, last = name.rpartition("/")
    if parent in names:
        return "state" if last == AVERAGE else "optimizer"
    if OPTIMIZER_NAMES.fullmatch(name) or OPTIMIZER_SCOPE.search(name):
        return "optimizer"
    if parent and SLOTS.fullmatch(last):
        return "optimizer"
    return "state" if STATE_NAMES.fullmatch(name) or _is_counter(entry) else None


def _reason_of_key(key: str, entry: Entry, full: str) -> Reason | None:
    if SLOT in key:
        return "optimizer"
    return "state" if STATE_NAMES.fullmatch(full) or _is_counter(entry) else None


def _reason_unheld(key: str, entry: Entry) -> Reason | None:
    parts = key.split("/")
    if SLOT in key or not OPTIMIZERS.isdisjoint(parts):
        return "optimizer"
    is_variable = key.endswith(SUFFIX) and STATE.isdisjoint(parts)
    return None if is_variable and not _is_counter(entry) else "state"


def _is_counter(entry: Entry) -> bool:
    """Texts, booleans, 64-bit integers, and single integers of any kind: bookkeeping and no weights."""
    is_single_integer = entry.dtype in COUNTERS and not entry.shape
    return is_single_integer or entry.dtype in BOOKKEEPING
