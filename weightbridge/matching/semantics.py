"""The semantic diff of matched layers: same weights, other function. Needs no framework and no bytes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

from weightbridge.diagnostics import Finding, finding
from weightbridge.graph import LayerGraph
from weightbridge.matching.between import pools
from weightbridge.matching.changed import is_told_otherwise
from weightbridge.matching.effective import effective, of_unit

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"})
RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
INFERENCE = (
    "epsilon", "padding", "strides", "dilation", "groups", "activation", "recurrent_activation", "go_backwards", "axis", "equation",
    "kind", "pool_size", "kernel_size", "scale", "center", "offset", "interpolation", "mode", "depth_multiplier", "heads", "data_format",
)  # fmt: skip
TRAINING = ("momentum", "rate", "trainable")
OWN = frozenset({"data_format", "axis", "equation", "trainable", "momentum"})  # each framework has its own way to say these
VARIANTS = {"GRU": ("reset_after",)}


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute that a matched pair does not share."""

    source: str
    target: str
    attribute: str
    values: tuple[Any, Any]


def differences(source: LayerGraph, target: LayerGraph, pairs: Iterable[tuple[str, str]]) -> tuple[Difference, ...]:
    """Of all pairs (source, target units), in target order: attributes that both sides know and that differ."""
    partners: dict[str, list[tuple[str, str]]] = {}
    for given, wanted in pairs:
        partners.setdefault(_layer(wanted), []).append((given, wanted))
    found: dict[tuple[str, str], Difference] = {}
    for layer in target.layers:
        for given, wanted in partners.get(layer.name, ()):
            found |= {(d.target, d.attribute): d for d in _compared(source, target, given, wanted)}
        joined = [(_layer(given), layer.name) for given, _ in partners.get(layer.name, ())]
        for a, b in pools(source, target, joined):
            found |= {(d.target, d.attribute): d for d in _compared(source, target, a.name, b.name)}
    return tuple(found.values())


def _compared(source: LayerGraph, target: LayerGraph, given: str, wanted: str) -> Iterator[Difference]:
    same = source.framework == target.framework
    a, b = source.by_name[_layer(given)], target.by_name[_layer(wanted)]
    left, right = of_unit(given, a, b, effective(source, a)), of_unit(wanted, b, a, effective(target, b))
    for name in (*INFERENCE, *TRAINING, *VARIANTS.get(b.op, ())):
        if not same and (name in OWN or (name == "padding" and b.op == "ConvTranspose")):
            continue
        if name in left and name in right and not (is_same(left[name], right[name]) or is_told_otherwise(left[name], right[name])):
            yield Difference(a.name, b.name, name, (left[name], right[name]))


def _layer(unit: str) -> str:
    return unit.partition("\0")[0]


def is_same(a: Any, b: Any) -> bool:
    """Equal values; numbers up to float32 rounding, tuples element by element."""
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(is_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, bool) or isinstance(b, bool):
        return bool(a == b)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return isclose(a, b, rel_tol=1e-6)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(is_same(a[k], b[k]) for k in a)
    return bool(a == b)


def is_variant(difference: Difference, op: str) -> bool:
    """True where no weights make the two functions equal."""
    return difference.attribute in VARIANTS.get(op, ())


def said(differing: tuple[Difference, ...], target: LayerGraph, handled: frozenset[tuple[str, str]]) -> tuple[Finding, ...]:
    """Findings WB301, WB403, WB407; `handled` (target layer, attribute) were made equal by an exact transform."""
    return tuple(_finding(d, target.by_name[d.target].op) for d in differing if (d.target, d.attribute) not in handled)


def _finding(d: Difference, op: str) -> Finding:
    values = f"{d.attribute} {_text(d.values[0])} in the source, {_text(d.values[1])} in the target"
    if is_variant(d, op):
        message, fix = "no weights make these two functions equal", f"build the target with {d.attribute}={d.values[0]}"
        return finding("WB301", f"{d.target}: {values}; {message}", source=d.source, target=d.target, fix=fix)
    if d.attribute in TRAINING:
        return finding("WB407", f"{d.target}: {values}; equal in inference, not in training", source=d.source, target=d.target)
    fix = f"give {d.target} the source's {d.attribute}, or accept the difference"
    return finding("WB403", f"{d.target}: {values}; the same weights compute something else", source=d.source, target=d.target, fix=fix)


def _text(value: Any) -> str:
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], Mapping):
        return f"{value[0]}({', '.join(f'{k}={v}' for k, v in value[1].items())})"
    return str(value)
