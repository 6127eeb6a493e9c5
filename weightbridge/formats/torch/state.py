"""Which of a checkpoint's dicts is the model; copies, optimizers and counters are set apart."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from weightbridge.diagnostics import Finding, finding, listed, with_severity
from weightbridge.formats.torch.values import Object
from weightbridge.formats.torch.walk import Leaf, tensors_in
from weightbridge.model.graph import Reason

Purpose = Literal["model", "part", "value", "copy", "optimizer", "state"]
Named = tuple[tuple[str, Leaf], ...]
# nothing beside these is the model
WHOLE = ("state_dict", "model_state_dict", "model_state", "model_weights", "weights_dict")
MODELS = (*WHOLE, "model", "module", "net", "network", "params", "weights", "teacher", "student")
COPY = re.compile(
    r"(^|[._-])(ema|swa)([._-]|\d*$)|^(averaged?|avg)_(model|state|params|weights)"
    r"|shadow_(params|weights)|^(best|last)_model_copy",
    re.IGNORECASE,
)
OPTIMIZER = re.compile(r"(^|[._-])optim(izers?)?(\d*$|[._-])", re.IGNORECASE)
MOMENTS = frozenset({"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "momentum_buffer", "square_avg"})
STATE = re.compile(
    r"(^|[._-])((lr_?)?sched(uler)?s?|(grad_|loss_)?scaler|rng|rng_states?|random_states?"
    r"|callbacks|loops|hyper_parameters|hparams|metrics)([._-]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Left:
    """A tensor that is no weight of the model that was chosen."""

    name: str
    leaf: Leaf
    reason: Reason


@dataclass(frozen=True, slots=True)
class State:
    """The state dict of the model, what was left out, and what a user should know of the choice."""

    tensors: Named
    left: tuple[Left, ...]
    findings: tuple[Finding, ...]


def state_of(root: Any, where: str) -> State:
    """Open the wrappers of a checkpoint.

    Names are those of the state dict, behind its key where several dicts are read as one.
    """
    value, prefix = root, ""
    left: list[Left] = []
    findings: list[Finding] = []
    while True:
        level = _level(value, where)
        left += _left(level, prefix)
        findings += _left_out(prefix, level)
        if level.chosen is None:
            break
        value = next(child for key, child in value.items() if str(key) == level.chosen)
        prefix = f"{prefix}{level.chosen}."
    findings += _arrays(prefix, value)
    return _without_copies(_kept(level), left, findings)


@dataclass(frozen=True, slots=True)
class Level:
    """One dict of a checkpoint: the tensors under each key, what each key is, and which one is the model.

    chosen: None where this level is the state dict itself. dropped: keys of what is left out.
    """

    parts: Mapping[str, Named]
    purposes: Mapping[str, Purpose]
    chosen: str | None
    dropped: Sequence[str]


def _level(value: Any, where: str) -> Level:
    parts = _parts(value, where)
    purposes = {key: _purpose(key, inside) for key, inside in parts.items()}
    chosen = _chosen(purposes)
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
    return _unique(kept)


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


def _purpose(key: str, inside: Named) -> Purpose:
    if len(inside) == 1 and inside[0][0] == key:
        return _purpose_of_tensor(key)
    if COPY.search(key):
        return "copy"
    if OPTIMIZER.search(key):
        return "optimizer"
    if STATE.search(key):
        return "state"
    return "model" if key in MODELS else "part"


def _purpose_of_tensor(key: str) -> Purpose:
    """The same for a single tensor beside dicts."""
    if key.rpartition(".")[2] in MOMENTS:
        return "optimizer"
    return "state" if "rng_state" in key else "value"


def _chosen(purposes: Mapping[str, Purpose]) -> str | None:
    """The key of the one dict that is the model; None where this level is the state dict."""
    kinds = set(purposes.values())
    models = [key for key, purpose in purposes.items() if purpose == "model"]
    first = min(models, key=MODELS.index, default=None)
    if first is not None and (first in WHOLE or "part" not in kinds):
        return first
    copies = [key for key, purpose in purposes.items() if purpose == "copy"]
    has_weights = bool(kinds & {"model", "part", "value"})
    return copies[0] if copies and not has_weights else None


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
        fix="To use another one, save it alone as a file of its own",
    )
    purposes = {purpose for purpose, _ in dropped.values()}
    may_be_the_model = bool(purposes & {"model", "part"})
    return [with_severity(note, "warning") if may_be_the_model else note]


def _counted(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count} tensors"


def _arrays(prefix: str, value: Any) -> Sequence[Finding]:
    """What a state dict holds as numpy arrays, whose bytes lie inside the pickle."""
    pairs = value.items() if isinstance(value, dict) else ()
    names = [f"{prefix}{key}" for key, child in pairs if _is_array(child)]
    if not names:
        return ()
    note = finding(
        "WB108",
        f"numpy arrays beside the tensors are not read: {listed(names, 6)}",
        source=names[0],
        fix="Save them as tensors, if they are weights",
    )
    return [with_severity(note, "warning")]


def _is_array(value: Any) -> bool:
    return isinstance(value, Object) and value.kind.endswith("multiarray._reconstruct")


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


def _without_copies(kept: Named, left: list[Left], findings: list[Finding]) -> State:
    """Sets apart moving averages beside the weights, under a scope of their own (`model_ema.`)."""
    copies = _copies({_scope(name) for name, _ in kept})
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


def _copies(scopes: set[str]) -> set[str]:
    """The scopes of averages; none where there is nothing else."""
    copies = {scope for scope in scopes if COPY.search(scope)}
    return set() if copies == scopes else copies


def _scope(name: str) -> str:
    return name.partition(".")[0]
