"""The semantic diff of matched layers: same weights, other function. Needs no framework and no bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.differences.between_layers import pools
from weightbridge.matching.differences.older_activations import is_told_otherwise
from weightbridge.matching.differences.without_weights import weightless
from weightbridge.matching.units.effective_attributes import activation_behind, effective, of_unit
from weightbridge.matching.units.unit_names import layer_of
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import writes_alike

INFERENCE = (
    "epsilon", "padding", "strides", "dilation", "groups", "activation", "recurrent_activation",
    "go_backwards", "axis", "equation",
    "kind", "pool_size", "kernel_size", "scale", "center", "offset", "interpolation", "mode",
    "depth_multiplier", "heads", "data_format",
    "return_sequences",
)  # fmt: skip
TRAINING = ("momentum", "rate", "trainable", "dropout before it")
# Each framework has its own way to say these.
OWN = frozenset({"data_format", "axis", "equation", "trainable", "momentum", "return_sequences"})
GUESSED = frozenset({"depth_multiplier"})  # by what a state dict lists before: a shape that differs says more
VARIANTS = {"GRU": ("reset_after",)}


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute that a matched pair does not share. said_by: the layers that say it, where they are not
    the pair itself.
    """

    source: str
    target: str
    attribute: str
    values: tuple[Any, Any]
    said_by: tuple[str, str] = ("", "")


def differences(
    source: LayerGraph, target: LayerGraph, pairs: Iterable[tuple[str, str]]
) -> tuple[Difference, ...]:
    """Of all pairs (source, target units), in target order.

    Attributes that both sides know and that differ.
    """
    partners: dict[str, list[tuple[str, str]]] = {}
    for source_unit, target_unit in pairs:
        partners.setdefault(layer_of(target_unit), []).append((source_unit, target_unit))
    by_place: dict[tuple[str, str], Difference] = {}
    for layer in target.layers:
        for difference in _of_layer(source, target, layer.name, partners.get(layer.name, ())):
            by_place[difference.target, difference.attribute] = difference
    for s, t, attribute, values in weightless(source, target, _only_partners(partners), is_same):
        by_place.setdefault((t, attribute), Difference(s, t, attribute, values))
    return tuple(by_place.values())


def _of_layer(
    source: LayerGraph, target: LayerGraph, name: str, partners: Sequence[tuple[str, str]]
) -> Iterator[Difference]:
    """Of a target layer's pairs, and of the pooling layers behind them."""
    for source_unit, target_unit in partners:
        yield from _compared(source, target, source_unit, target_unit)
    layers = [(layer_of(source_unit), name) for source_unit, _ in partners]
    for source_pool, target_pool in pools(source, target, layers):
        yield from _compared(source, target, source_pool.name, target_pool.name)


def _only_partners(partners: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, str]:
    """The source layer of each target layer that has only one."""
    only = {}
    for name, pairs in partners.items():
        layers = {layer_of(source_unit) for source_unit, _ in pairs}
        if len(layers) == 1:
            only[name] = layers.pop()
    return only


def _compared(
    source: LayerGraph, target: LayerGraph, source_unit: str, target_unit: str
) -> Iterator[Difference]:
    ours, theirs = source.by_name[layer_of(source_unit)], target.by_name[layer_of(target_unit)]
    left = of_unit(source_unit, ours, theirs, effective(source, ours))
    right = of_unit(target_unit, theirs, ours, effective(target, theirs))
    if left == right:
        return
    guessed = frozenset() if source.has_flow and target.has_flow else GUESSED
    for name in _comparable(writes_alike(source, target), theirs.op):
        if name in guessed:
            continue
        if name in left and name in right and not _are_alike(left[name], right[name]):
            said_by = _said_by(source, target, ours, theirs, name)
            yield Difference(ours.name, theirs.name, name, (left[name], right[name]), said_by)


def _comparable(is_same_writing: bool, op: str) -> tuple[str, ...]:
    """The attributes that are compared, without those that each framework says in its own way."""
    names = (*INFERENCE, *TRAINING, *VARIANTS.get(op, ()))
    if is_same_writing:
        return names
    return tuple(name for name in names if name not in OWN)


def _are_alike(a: Any, b: Any) -> bool:
    return is_same(a, b) or is_told_otherwise(a, b)


def _said_by(
    source: LayerGraph, target: LayerGraph, ours: Layer, theirs: Layer, name: str
) -> tuple[str, str]:
    if name != "activation":
        return "", ""
    return _activation_layer(source, ours), _activation_layer(target, theirs)


def _activation_layer(graph: LayerGraph, layer: Layer) -> str:
    """The name of the layer behind that says a linear layer's activation, "" for none."""
    if layer.attributes.get("activation", "linear") != "linear" or not graph.has_flow:
        return ""
    behind = activation_behind(graph, layer)
    return behind.name if behind else ""


def is_same(a: Any, b: Any) -> bool:
    """Equal values; numbers up to float32 rounding, tuples element by element."""
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(is_same, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    if _is_number(a) and _is_number(b):
        return isclose(a, b, rel_tol=1e-6)
    return bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_variant(difference: Difference, op: str) -> bool:
    """True where no weights make the two functions equal."""
    return difference.attribute in VARIANTS.get(op, ())


def said(
    differing: tuple[Difference, ...], target: LayerGraph, handled: frozenset[tuple[str, str]]
) -> tuple[Finding, ...]:
    """Findings WB301, WB403, WB407.

    `handled` (target layer, attribute) were made equal by an exact transform.
    """
    # a convolution and its norm have one activation
    said_once = {d.said_by: d for d in reversed(differing) if all(d.said_by)}
    unhandled = [d for d in differing if (d.target, d.attribute) not in handled]
    return tuple(
        _finding(d, target.by_name[d.target].op) for d in unhandled if said_once.get(d.said_by, d) is d
    )


def _finding(d: Difference, op: str) -> Finding:
    (a, b), (one, other) = map(_text, d.values), (f" ({name})" if name else "" for name in d.said_by)
    values = f"{d.attribute} {a} in the source{one}, {b} in the target{other}"
    if is_variant(d, op):
        message, fix = (
            "no weights make these two functions equal",
            f"build the target with {d.attribute}={d.values[0]}",
        )
        return finding("WB301", f"{d.target}: {values}; {message}", source=d.source, target=d.target, fix=fix)
    if d.attribute in TRAINING:
        return finding(
            "WB407",
            f"{d.target}: {values}; equal in inference, not in training",
            source=d.source,
            target=d.target,
        )
    fix = f"give {d.target} the source's {d.attribute}, or accept the difference"
    if d.attribute.startswith("input "):
        return finding(
            "WB408",
            f"{d.target}: {values}; the two expect other inputs",
            source=d.source,
            target=d.target,
            fix=fix,
        )
    return finding(
        "WB403",
        f"{d.target}: {values}; the same weights compute something else",
        source=d.source,
        target=d.target,
        fix=fix,
        about=d.attribute,
    )


def _text(value: Any) -> str:
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], Mapping):
        return f"{value[0]}({', '.join(f'{k}={v}' for k, v in value[1].items())})"
    return str(value)
