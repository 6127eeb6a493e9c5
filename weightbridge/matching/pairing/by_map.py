"""The user's map: `--map SOURCE=TARGET`, globs over layers and tensors, before other evidence."""

from collections import Counter
from collections.abc import Mapping

from weightbridge.boundary.globs import mapped, near
from weightbridge.errors import UsageError
from weightbridge.matching.confidence import CERTAIN
from weightbridge.matching.context import Context
from weightbridge.matching.units.units import Reduced
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import LayerGraph
from weightbridge.model.scopes import LISTED, names_of

Map = tuple[tuple[str, str], ...]


def by_map(context: Context) -> tuple[LayerPair, ...]:
    """One pair per layer of the source that a pattern names, itself or by a tensor, and whose counterpart the
    target has.
    """
    if not context.user_map:
        return ()
    sources = [u.name for u in context.source.weighted]
    targets = {u.name for u in context.target.weighted}
    layers = [
        (s, t) for left, right in context.user_map for s, t in mapped(left, right, sources) if t in targets
    ]
    return tuple(LayerPair(s, t, CERTAIN, ("map",)) for s, t in (*layers, *_by_tensors(context)))


def _by_tensors(context: Context) -> list[tuple[str, str]]:
    """Layers that belong together because a tensor of one goes into the other.

    Not where the map spreads a layer over several, or names a part of a fused matrix.
    """
    owners, wanted = _owners(context.source), _owners(context.target)
    said = [(s, t) for left, right in context.user_map for s, t in mapped(left, right, owners) if t in wanted]
    whole = [(s, t) for s, t in said if not _is_part(context, s, t)]
    pairs = list(dict.fromkeys((owners[s], wanted[t]) for s, t in whole))
    sources, targets = Counter(s for s, _ in pairs), Counter(t for _, t in pairs)
    return [(s, t) for s, t in pairs if sources[s] == targets[t] == 1]


def _is_part(context: Context, source: str, target: str) -> bool:
    """Whether a tensor of a state dict holds the other several times over: then a part of it is meant."""
    given = context.source.graph.tensor_by_name[source]
    wanted = context.target.graph.tensor_by_name[target]
    return not context.source.graph.has_flow and given.size > wanted.size and given.size % wanted.size == 0


def _owners(graph: Reduced) -> Mapping[str, str]:
    """The unit of each tensor that belongs to one unit alone."""
    units = Counter(tensor.name for unit in graph.weighted for _, tensor in unit.tensors)
    return {
        tensor.name: unit.name
        for unit in graph.weighted
        for _, tensor in unit.tensors
        if units[tensor.name] == 1
    }


def check_map(source: LayerGraph, target: LayerGraph, user_map: Map) -> None:
    """Raises UsageError for a pattern that joins nothing.

    What a user has said may not be passed over in silence.
    """
    sources, targets = names_of(source), names_of(target)
    for left, right in user_map:
        said = f"--map {left}={right}"
        pairs = mapped(left, right, sources)
        if not pairs:
            raise UsageError(f"{said}: the source has no {left!r}{near(left, sources)}", fix=LISTED)
        if not any(wanted in targets for _, wanted in pairs):
            wanted = pairs[0][1]
            raise UsageError(f"{said}: the target has no {wanted!r}{near(wanted, targets)}", fix=LISTED)
