"""Which of a checkpoint's dicts is the model; copies, optimizers and counters are set apart."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from weightbridge.diagnostics import Finding, finding, listed, with_severity
from weightbridge.formats.torch.values import Object
from weightbridge.formats.torch.walk import Leaf, tensors_in
from weightbridge.model.graph import Reason

Purpose = Literal["model", "part", "value", "copy", "optimizer", "state"]
Named = tuple[tuple[str, Leaf], ...]
WHOLE = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model_weights",
    "weights_dict",
)  # nothing beside these is the model
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
    said: list[Finding] = []
    while True:
        parts = _parts(value, where)
        purposes = {key: _purpose(key, parts[key]) for key in parts}
        chosen = _chosen(purposes)
        dropped = _dropped(purposes, chosen)
        left += [
            Left(f"{prefix}{name}", leaf, _reason(purposes[key]))
            for key in dropped
            for name, leaf in parts[key]
        ]
        said += _said(prefix, chosen, {key: (purposes[key], len(parts[key])) for key in dropped})
        if chosen is None:
            break
        value, prefix = next(v for k, v in value.items() if str(k) == chosen), f"{prefix}{chosen}."
    kept = _unique([pair for key in parts if key not in dropped for pair in parts[key]])
    return _without_copies(kept, left, [*said, *_arrays(prefix, value)])


def _parts(value: Any, where: str) -> dict[str, Named]:
    """The tensors under each key that has any, with their dotted names, which begin with the key."""
    if not isinstance(value, dict):
        return {"": tuple((name or "tensor", leaf) for name, leaf in tensors_in(value, where))}
    found: dict[str, Named] = {}
    for key, child in value.items():
        inside = tuple(
            (f"{key}.{name}" if name else str(key), leaf) for name, leaf in tensors_in(child, where)
        )
        if inside:
            found[str(key)] = (*found.get(str(key), ()), *inside)
    return found


def _purpose(key: str, inside: Named) -> Purpose:
    if len(inside) == 1 and inside[0][0] == key:
        return (
            "optimizer" if key.rpartition(".")[2] in MOMENTS else "state" if "rng_state" in key else "value"
        )
    if COPY.search(key):
        return "copy"
    if OPTIMIZER.search(key):
        return "optimizer"
    return "state" if STATE.search(key) else "model" if key in MODELS else "part"


def _chosen(purposes: Mapping[str, Purpose]) -> str | None:
    """The key of the one dict that is the model; None where this level is the state dict."""
    kinds = set(purposes.values())
    models = sorted((key for key, purpose in purposes.items() if purpose == "model"), key=MODELS.index)
    if models and (models[0] in WHOLE or "part" not in kinds):
        return models[0]
    copies = [key for key, purpose in purposes.items() if purpose == "copy"]
    return copies[0] if copies and not kinds & {"model", "part", "value"} else None


def _dropped(purposes: Mapping[str, Purpose], chosen: str | None) -> list[str]:
    if chosen is not None:
        return [key for key in purposes if key != chosen]
    return [key for key, purpose in purposes.items() if purpose in ("copy", "optimizer", "state")]


def _reason(purpose: Purpose) -> Reason:
    return "optimizer" if purpose == "optimizer" else "state"


def _said(prefix: str, chosen: str | None, dropped: Mapping[str, tuple[Purpose, int]]) -> Sequence[Finding]:
    if not dropped:
        return ()
    names = [
        f"{prefix}{key} ({count} {'tensor' if count == 1 else 'tensors'})"
        for key, (_, count) in dropped.items()
    ]
    read = f"the weights of {prefix}{chosen} are read" if chosen else "the model's own weights are read"
    found = finding(
        "WB108",
        f"{read}; left out: {listed(names, 6)}",
        source=f"{prefix}{chosen or ''}",
        fix="To use another one, save it alone as a file of its own",
    )
    return (
        [with_severity(found, "warning")] if {p for p, _ in dropped.values()} & {"model", "part"} else [found]
    )


def _arrays(prefix: str, value: Any) -> Sequence[Finding]:
    """What a state dict holds as numpy arrays, whose bytes lie inside the pickle."""
    pairs = value.items() if isinstance(value, dict) else ()
    names = [
        f"{prefix}{key}"
        for key, child in pairs
        if isinstance(child, Object) and child.kind.endswith("multiarray._reconstruct")
    ]
    if not names:
        return ()
    found = finding(
        "WB108",
        f"numpy arrays beside the tensors are not read: {listed(names, 6)}",
        source=names[0],
        fix="Save them as tensors, if they are weights",
    )
    return [with_severity(found, "warning")]


def _unique(pairs: Sequence[tuple[str, Leaf]]) -> Named:
    """Names that occur twice (`{"a.b": ..., "a": {"b": ...}}`) get a number."""
    seen: set[str] = set()
    found: list[tuple[str, Leaf]] = []
    for name, leaf in pairs:
        number, unique = 1, name
        while unique in seen:
            number += 1
            unique = f"{name}#{number}"
        seen.add(unique)
        found.append((unique, leaf))
    return tuple(found)


def _without_copies(kept: Named, left: list[Left], said: list[Finding]) -> State:
    """Sets apart moving averages beside the weights, under a scope of their own (`model_ema.`)."""
    scopes = {name.partition(".")[0] for name, _ in kept}
    copies = {scope for scope in scopes if COPY.search(scope)}
    if not copies or copies == scopes:
        return State(kept, tuple(left), tuple(said))
    counts = {
        scope: [name for name, _ in kept if name.partition(".")[0] == scope] for scope in sorted(copies)
    }
    gone = {name for names in counts.values() for name in names}
    found = _said("", None, {scope: ("copy", len(names)) for scope, names in counts.items()})
    left += [Left(name, leaf, "state") for name, leaf in kept if name in gone]
    return State(tuple(pair for pair in kept if pair[0] not in gone), tuple(left), (*said, *found))
