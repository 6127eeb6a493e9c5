"""Which of a checkpoint's dicts is the model; copies, optimizers and counters are set apart."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, finding, listed, with_severity
from weightbridge.formats.torch.purposes import Named, Purpose, chosen_of, copies_among, purpose_of, way_to
from weightbridge.formats.torch.values import Object
from weightbridge.formats.torch.walk import Leaf, objects_in, tensors_in
from weightbridge.model.graph import Reason


@dataclass(frozen=True, slots=True)
class Left:
    """A tensor that is no weight of the model that was chosen."""

    name: str
    leaf: Leaf
    reason: Reason


@dataclass(frozen=True, slots=True)
class State:
    """The state dict of the model, what was left out, and what a user should know of the choice.

    is_inside_object: whether the weights stand inside an object of a foreign class.
    """

    tensors: Named
    left: tuple[Left, ...]
    findings: tuple[Finding, ...]
    is_inside_object: bool = False


def state_of(root: Any, where: str, wanted: str = "") -> State:
    """Open the wrappers of a checkpoint; `wanted` is the path of the dict to read (`ema`, `ema.module`).

    Names are those of the state dict, behind its key where several dicts are read as one.
    Raises UsageError where there is nothing that is wanted.
    """
    keys = way_to(root, wanted)
    scope = "" if keys else wanted
    left: list[Left] = []
    findings: list[Finding] = []
    prefix = ""
    value = root
    for inner, level in _levels(root, where, keys):
        value = inner
        left += _left(level, prefix)
        findings += _left_out(prefix, level)
        if level.chosen is not None:
            prefix = f"{prefix}{level.chosen}."
    if wanted:
        findings = [with_severity(note, "note") for note in findings]
    findings += _arrays(prefix, value, where)
    kept = _unique(_kept(level))
    state = _of_scope(kept, scope, left) if scope else _without_copies(kept, left, findings)
    return replace(state, is_inside_object=_is_inside_object(value, level, where))


@dataclass(frozen=True, slots=True)
class Level:
    """One dict of a checkpoint: the tensors under each key, what each key is, and which one is the model.

    chosen: None where this level is the state dict itself. dropped: keys of what is left out.
    """

    parts: Mapping[str, Named]
    purposes: Mapping[str, Purpose]
    chosen: str | None
    dropped: Sequence[str]


def _levels(root: Any, where: str, keys: Sequence[str]) -> Iterator[tuple[Any, Level]]:
    """The dicts on the way to the weights, the state dict itself last; `keys` choose the first ones."""
    value, asked = root, list(keys)
    while True:
        level = _level(value, where)
        if asked:
            level = _level_as_wanted(level, asked.pop(0))
        yield value, level
        if level.chosen is None:
            return
        value = next(child for key, child in value.items() if str(key) == level.chosen)


def _is_inside_object(value: Any, level: Level, where: str) -> bool:
    """Whether a tensor that is read stands inside an object of a foreign class."""
    outside = {name or "tensor" for name, _ in tensors_in(value, where, enters_foreign=False)}
    return any(name not in outside for name, _ in _kept(level))


def _level_as_wanted(level: Level, key: str) -> Level:
    return replace(level, chosen=key, dropped=[other for other in level.parts if other != key])


def _level(value: Any, where: str) -> Level:
    parts = _parts(value, where)
    purposes = {key: purpose_of(key, inside) for key, inside in parts.items()}
    chosen = chosen_of(purposes)
    return Level(parts, purposes, chosen, _dropped(purposes, chosen))


def _left(level: Level, prefix: str) -> list[Left]:
    """The tensors that are left out on one level."""
    left = []
    for key in level.dropped:
        reason: Reason = "optimizer" if level.purposes[key] == "optimizer" else "state"
        left += [Left(f"{prefix}{name}", leaf, reason) for name, leaf in level.parts[key]]
    return left


def _left_out(prefix: str, level: Level) -> Sequence[Finding]:
    dropped = {}
    for key in level.dropped:
        dropped[key] = (level.purposes[key], len(level.parts[key]))
    return _said(prefix, level.chosen, dropped)


def _kept(level: Level) -> Named:
    kept: list[tuple[str, Leaf]] = []
    for key, inside in level.parts.items():
        if key not in level.dropped:
            kept.extend(inside)
    return tuple(kept)


def _parts(value: Any, where: str) -> dict[str, Named]:
    """The tensors under each key that has any, with their dotted names, which begin with the key."""
    if not isinstance(value, dict):
        return {"": tuple((name or "tensor", leaf) for name, leaf in tensors_in(value, where))}
    parts: dict[str, Named] = {}
    for key, child in value.items():
        inside = _inside(str(key), child, where)
        if inside:
            parts[str(key)] = (*parts.get(str(key), ()), *inside)
    return parts


def _inside(key: str, child: Any, where: str) -> Named:
    """The tensors under a key, their names behind it."""
    inside = []
    for name, leaf in tensors_in(child, where):
        full_name = f"{key}.{name}" if name else key
        inside.append((full_name, leaf))
    return tuple(inside)


def _dropped(purposes: Mapping[str, Purpose], chosen: str | None) -> list[str]:
    if chosen is not None:
        return [key for key in purposes if key != chosen]
    return [key for key, purpose in purposes.items() if purpose in ("copy", "optimizer", "state")]


def _said(prefix: str, chosen: str | None, dropped: Mapping[str, tuple[Purpose, int]]) -> Sequence[Finding]:
    if not dropped:
        return ()
    names = [f"{prefix}{key} ({_counted(count)})" for key, (_, count) in dropped.items()]
    read = f"the weights of {prefix}{chosen} are read" if chosen else "the model's own weights are read"
    note = finding(
        "WB108",
        f"{read}; left out: {listed(names, 6)}",
        source=f"{prefix}{chosen or ''}",
        fix=_way_to_another(prefix, dropped),
    )
    purposes = {purpose for purpose, _ in dropped.values()}
    may_be_the_model = bool(purposes & {"model", "part"})
    return [with_severity(note, "warning") if may_be_the_model else note]


def _way_to_another(prefix: str, dropped: Mapping[str, tuple[Purpose, int]]) -> str:
    """How to read one of those that are left out, where one is a model's."""
    models = [key for key, (purpose, _) in dropped.items() if purpose in ("copy", "model", "part")]
    if not models:
        return ""
    name = f"{prefix}{models[0]}"
    return f"To use another one, name it: --source-arg weights={name} (of a target: --target-arg)"


def _counted(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count} tensors"


def _arrays(prefix: str, value: Any, where: str) -> Sequence[Finding]:
    """What a state dict holds as numpy arrays, whose bytes lie inside the pickle."""
    names = [f"{prefix}{name}" for name, _ in objects_in(value, where, _is_array)]
    if not names:
        return ()
    note = finding(
        "WB108",
        f"numpy arrays beside the tensors are not read: {listed(names, 6)}",
        source=names[0],
        fix="Save them as tensors, if they are weights",
    )
    return [with_severity(note, "warning")]


def _is_array(value: Object) -> bool:
    return value.kind.endswith("multiarray._reconstruct")


def _unique(pairs: Sequence[tuple[str, Leaf]]) -> Named:
    """Names that occur twice (`{"a.b": ..., "a": {"b": ...}}`) get a number."""
    leaves: dict[str, Leaf] = {}
    for name, leaf in pairs:
        number = 1
        unique = name
        while unique in leaves:
            number += 1
            unique = f"{name}#{number}"
        leaves[unique] = leaf
    return tuple(leaves.items())


def _of_scope(kept: Named, scope: str, left: Sequence[Left]) -> State:
    """The weights whose names begin with a scope (`model_ema.`), as a user asks for them."""
    wanted = tuple((name, leaf) for name, leaf in kept if name.startswith(f"{scope}."))
    others = [Left(name, leaf, "state") for name, leaf in kept if not name.startswith(f"{scope}.")]
    if not wanted:
        parts = list(dict.fromkeys((*(left.name.partition(".")[0] for left in left), *map(_first, kept))))
        raise UsageError(f"weights={scope}: the file has no such part", fix=f"it has {listed(parts, 8)}")
    return State(wanted, (*left, *others), ())


def _first(named: tuple[str, Leaf]) -> str:
    return _scope(named[0])


def _without_copies(kept: Named, left: list[Left], findings: list[Finding]) -> State:
    """Sets apart moving averages beside the weights, under a scope of their own (`model_ema.`)."""
    copies = copies_among({_scope(name) for name, _ in kept})
    weights = []
    averages = []
    for name, leaf in kept:
        if _scope(name) in copies:
            averages.append(Left(name, leaf, "state"))
        else:
            weights.append((name, leaf))
    counts = Counter(_scope(average.name) for average in averages)
    dropped: dict[str, tuple[Purpose, int]] = {}
    for scope in sorted(copies):
        dropped[scope] = ("copy", counts[scope])
    said = _said("", None, dropped)
    return State(tuple(weights), (*left, *averages), (*findings, *said))


def _scope(name: str) -> str:
    return name.partition(".")[0]
