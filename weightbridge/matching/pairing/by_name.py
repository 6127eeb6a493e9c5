"""Equal names, where names were given by a person; and names that differ by a prefix."""

from collections.abc import Mapping

from weightbridge.matching.confidence import CERTAIN, SYMMETRIC
from weightbridge.matching.context import Context, is_compatible, key
from weightbridge.matching.pairing.by_shape import shapes
from weightbridge.matching.pairing.by_structure import isomorphism
from weightbridge.matching.pairing.names import is_automatic, same_names, suffix_names
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair


def by_name(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of equal telling names.

    Where equal structures say otherwise, names win only if both sides have the same set.
    """
    found = same_names(*_open_names(context)) | (_literal(context) if _is_of_modules(context) else {})
    usable = {t: s for t, s in found.items() if _fits(context, s, t)}
    structural = isomorphism(context.source, context.target) if usable and context.has_flow else None
    if structural and _contradict(usable, structural) and not _is_permutation(context, usable):
        return ()
    return tuple(_pair(context, s, t, "name") for t, s in usable.items())


def _is_of_modules(context: Context) -> bool:
    """torch's names are those of attributes, which people give (`conv1`); its exporter keeps them."""
    frameworks = {context.source.graph.framework, context.target.graph.framework}
    return "torch" in frameworks <= {"torch", "onnx"}


def _literal(context: Context) -> dict[str, str]:
    source, target = _open_names(context)
    return {name: name for name in set(source) & set(target)}


def by_suffix(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of names of which one is the other behind a prefix."""
    found = suffix_names(*_open_names(context))
    usable = [(s, t) for t, s in found.items() if _fits(context, s, t) and _same_key(context, s, t)]
    return tuple(_pair(context, s, t, "suffix") for s, t in usable)


def _open_names(context: Context) -> tuple[list[str], list[str]]:
    return [u.name for u in context.open_source() if u.has_weights], [
        u.name for u in context.open_target() if u.has_weights
    ]


def _fits(context: Context, source: str, target: str) -> bool:
    """Of one kind.

    Where a side has weights alone, its kinds are guesses, and equal roles and shapes do as well.
    """
    a, b = context.source.by_name[source], context.target.by_name[target]
    return is_compatible(a, b) or (not context.has_flow and a.has_weights and shapes(a) == shapes(b))


def _same_key(context: Context, source: str, target: str) -> bool:
    return key(context.source.by_name[source]) == key(context.target.by_name[target])


def _pair(context: Context, source: str, target: str, evidence: str) -> LayerPair:
    shape = ("shape",) if _same_key(context, source, target) else ()
    return LayerPair(source, target, CERTAIN if shape else SYMMETRIC, (evidence, *shape))


def _contradict(by_names: Mapping[str, str], structural: Mapping[str, str]) -> bool:
    return any(structural.get(t, s) != s for t, s in by_names.items())


def _is_permutation(context: Context, found: Mapping[str, str]) -> bool:
    """Every telling name of either side found its equal: the same layers in another order."""
    return len(found) == _telling(context.open_source()) == _telling(context.open_target())


def _telling(units: tuple[Unit, ...]) -> int:
    return sum(u.has_weights and not is_automatic(u.name) for u in units)
