"""What a checkpoint's variables are called, and which are no weights: by names or by objects."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from weightbridge.formats.tensorflow.bundle_entries import STRING, Entry
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
COUNTERS = ("bool", "int64", "int32", "uint32", "uint64", "uint8", "int8", "int16", "uint16")


class Named(NamedTuple):
    """A variable: its name, the key of its entry, and why it is no weight (None: it is one)."""

    name: str
    key: str
    reason: Reason | None = None


def by_names(entries: Mapping[str, Entry]) -> list[Named]:
    """Variables of a checkpoint without objects, in the order of the index."""
    return [Named(key, key, _reason(key, entry, entries)) for key, entry in entries.items()]


def by_objects(nodes: Sequence[Tracked], entries: Mapping[str, Entry]) -> list[Named]:
    """Variables in the order in which objects hold them, then those that no object holds.

    They are called by their full names where these are unique.
    """
    found = {nodes[r.number].key: r for r in reached(nodes) if nodes[r.number].key in entries}
    reasons = {
        key: r.reason or _reason_of_key(key, entries[key], nodes[r.number].full_name)
        for key, r in found.items()
    }
    full = {key: re.sub(r":\d+$", "", nodes[r.number].full_name) for key, r in found.items()}
    counts = Counter(full[key] for key in found if reasons[key] is None)
    named = [
        Named(_name(key, full[key], counts, found[key], reasons[key]), key, reasons[key]) for key in found
    ]
    rest = [
        Named(key.removesuffix(SUFFIX), key, _reason_unheld(key, entries[key]))
        for key in entries
        if key not in found and key != OBJECTS
    ]
    return _unique([*named, *rest])


def _name(key: str, full: str, counts: Mapping[str, int], way: Reached, reason: Reason | None) -> str:
    plain = key.removesuffix(SUFFIX)
    if reason is None and "/" in full and counts[full] == 1 and not UNNAMED.fullmatch(full):
        return full
    is_detour = reason is None and bool(set(plain.split("/")) & (LISTS | STATE | OPTIMIZERS))
    return "/".join(way.path) if is_detour and way.path else plain


def _unique(named: Iterable[Named]) -> list[Named]:
    """Where two have one name, all but the first are called by their keys."""
    seen: set[str] = set()
    found = []
    for one in named:
        name = one.name if one.name not in seen else one.key
        seen.add(name)
        found.append(one._replace(name=name))
    return found


def _reason(name: str, entry: Entry, names: Collection[str]) -> Reason | None:
    """Why a variable is no weight, by its name.

    One below another one, as `kernel/Adam` is below `kernel`, is an optimizer's or an average of it.
    """
    parent, _, last = name.rpartition("/")
    if parent in names:
        return "state" if last == AVERAGE else "optimizer"
    if OPTIMIZER_NAMES.fullmatch(name) or OPTIMIZER_SCOPE.search(name) or (parent and SLOTS.fullmatch(last)):
        return "optimizer"
    return "state" if STATE_NAMES.fullmatch(name) or _is_counter(entry) else None


def _reason_of_key(key: str, entry: Entry, full: str) -> Reason | None:
    if SLOT in key:
        return "optimizer"
    return "state" if STATE_NAMES.fullmatch(full) or _is_counter(entry) else None


def _reason_unheld(key: str, entry: Entry) -> Reason | None:
    parts = key.split("/")
    if SLOT in key or set(parts) & OPTIMIZERS:
        return "optimizer"
    return "state" if set(parts) & STATE or _is_counter(entry) or not key.endswith(SUFFIX) else None


def _is_counter(entry: Entry) -> bool:
    """Texts, booleans, 64-bit integers, and single integers of any kind: bookkeeping and no weights."""
    return entry.dtype in (STRING, "bool", "int64", "uint64", "") or (
        entry.dtype in COUNTERS and not entry.shape
    )
