"""Layers of legacy files that list their weights in another order than the target."""

from collections.abc import Iterable, Mapping, Sequence

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph


def permuted_storage(
    source: LayerGraph, target: LayerGraph, tensor_pairs: Mapping[str, str]
) -> tuple[Finding, ...]:
    """WB210 for each top-level layer of a legacy file that lists its weights in another order."""
    return tuple(
        _reordered_finding(scope, order) for scope, order in _reordered(source, target, tensor_pairs)
    )


def _reordered_finding(scope: str, order: Sequence[str]) -> Finding:
    listing = f"the file lists this layer's weights in another order ({', '.join(order[:4])}, ...)"
    message = f"{scope}: {listing} than the target has; matched by name, not by position"
    return finding("WB210", message, source=scope, target=scope)


def _reordered(
    source: LayerGraph, target: LayerGraph, tensor_pairs: Mapping[str, str]
) -> Iterable[tuple[str, list[str]]]:
    """Top-level layers with their tensors in the source's order, where the target's is another one."""
    places = _places_in_target(target, tensor_pairs)
    scopes: dict[str, list[str]] = {}
    for name in source.stored_order:
        if name in places:
            scopes.setdefault(name.split("/")[0], []).append(name)
    for scope, names in scopes.items():
        if names != sorted(names, key=places.__getitem__):
            yield scope, [name.split("/", 1)[-1] for name in names]


def _places_in_target(target: LayerGraph, tensor_pairs: Mapping[str, str]) -> dict[str, int]:
    """Source tensor -> its counterpart's place in the target's order, inside nested layers."""
    order = target.stored_order or _legacy_order(target)
    nested = {name: n for n, name in enumerate(order) if name.split("/")[0] not in target.by_name}
    filled = {source_name: name for name, source_name in tensor_pairs.items()}
    return {source_name: nested[name] for source_name, name in filled.items() if name in nested}


def _legacy_order(graph: LayerGraph) -> Iterable[str]:
    """Trainable weights first, as Keras lists those of a nested model when it reads a legacy file."""
    return (
        t.name for t in sorted(graph.tensors, key=lambda t: not t.trainable or t.role.startswith("moving_"))
    )
