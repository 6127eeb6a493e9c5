"""Runs: neighbouring layers that are in one situation are said once; and the globs that name just them."""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from os.path import commonprefix

from weightbridge.boundary.globs import glob
from weightbridge.boundary.records import dataclass
from weightbridge.model.graph import LayerGraph

LONGEST = 400  # signs of a glob that is still an advice
MANY = 10_000  # names, beyond which a glob is not held against each of them
LAST = "\U0010ffff"
_SIGNS = re.compile(r"[*?\[\]{},'!]|[^ -~]")
Run = Mapping[str, Sequence[str]]  # layer -> its tensors in this situation


@dataclass(frozen=True, slots=True)
class Names:
    """All names of a graph that a glob may meet, in order: layers with tensors, and tensors."""

    graph: LayerGraph
    in_order: Sequence[str]


def names_of(graph: LayerGraph) -> Names:
    layers = (layer.name for layer in graph.layers if layer.tensors)
    return Names(graph, sorted({*layers, *graph.owner}))


def runs(graph: LayerGraph, names: Collection[str]) -> Iterator[Run]:
    """The layers that hold these tensors: neighbours in one run where all of each one's tensors are there.

    Layers without tensors stand between neighbours; a layer of which only a part is there is a run of its
    own.
    """
    of_layers = ((layer, [t.name for t in layer.tensors if t.name in names]) for layer in graph.layers)
    with_tensors = ((layer, mine) for layer, mine in of_layers if layer.tensors)
    for is_whole, group in groupby(with_tensors, lambda one: len(one[1]) == len(one[0].tensors)):
        if is_whole:
            yield {layer.name: mine for layer, mine in group}
        else:
            yield from ({layer.name: mine} for layer, mine in group if mine)


def glob_of(known: Names, run: Run) -> str:
    """One glob for all of a run and for nothing else that has tensors; "" where it would be too long."""
    tensors = [name for names in run.values() for name in names]
    if len(tensors) == 1:
        return tensors[0]
    layers = tuple(run) if _is_whole(known.graph, run) else ()
    own = {*tensors, *layers}
    starts = (commonprefix(tuple(names)) for names in (run, tensors))  # noqa: RUF071  # letters, not paths
    texts = [f"{_shown(start)}*" for start in starts if _is_own(known, start, own)]
    texts.append(_listed(layers or tuple(tensors)))
    return next((text for text in texts if _meets_no_other(known, text, own)), "")


def _is_whole(graph: LayerGraph, run: Run) -> bool:
    return all(len(names) == len(graph.by_name[layer].tensors) for layer, names in run.items())


def _is_own(known: Names, start: str, own: Collection[str]) -> bool:
    """Whether all names that begin so are the run's own."""
    first, last = bisect_left(known.in_order, start), bisect_left(known.in_order, start + LAST)
    return bool(start) and last - first == sum(name.startswith(start) for name in own)


def _listed(names: Sequence[str]) -> str:
    return _shown(names[0]) if len(names) == 1 else f"{{{','.join(map(_shown, names))}}}"


def _meets_no_other(known: Names, text: str, own: Collection[str]) -> bool:
    """Whether a glob is short enough, and meets the run alone: only its `?` could meet another name."""
    if "?" not in text or len(text) > LONGEST:
        return len(text) <= LONGEST
    if len(known.in_order) > MANY:
        return False
    return not any(glob(text).meets(name) for name in known.in_order if name not in own)


def _shown(name: str) -> str:
    """A name inside a glob: its signs that mean something else there are met by `?`."""
    return _SIGNS.sub("?", name)
