"""Runs: neighbouring layers that are in one situation are said once; and the globs that name just them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from os.path import commonprefix

from weightbridge.globs import glob
from weightbridge.model.graph import LayerGraph

LONGEST = 400  # signs of a glob that is still an advice
_SIGNS = re.compile(r"[*?\[\]{},'!]|[^ -~]")
Run = Mapping[str, Sequence[str]]  # layer -> its tensors in this situation


def runs(graph: LayerGraph, names: Collection[str]) -> Iterator[Run]:
    """The layers that hold these tensors: neighbours in one run where all of each one's tensors are there.

    Layers without tensors stand between neighbours; a layer of which only a part is there is a run of its own.
    """
    of_layers = ((layer, [t.name for t in layer.tensors if t.name in names]) for layer in graph.layers)
    with_tensors = ((layer, mine) for layer, mine in of_layers if layer.tensors)
    for is_whole, group in groupby(with_tensors, lambda one: len(one[1]) == len(one[0].tensors)):
        if is_whole:
            yield {layer.name: mine for layer, mine in group}
        else:
            yield from ({layer.name: mine} for layer, mine in group if mine)


def glob_of(graph: LayerGraph, run: Run) -> str:
    """One glob for all of a run and for nothing else that has tensors; "" where it would be too long."""
    tensors = [name for names in run.values() for name in names]
    if len(tensors) == 1:
        return tensors[0]
    named = tuple(run if _is_whole(graph, run) else tensors)
    starts = [f"{_shown(commonprefix(tuple(names)))}*" for names in (run, tensors)]
    others = _others(graph, run, tensors)
    fitting = (text for text in (*starts, _listed(named)) if _is_fit(text, others))
    return next(fitting, "")


def _listed(names: Sequence[str]) -> str:
    return _shown(names[0]) if len(names) == 1 else f"{{{','.join(map(_shown, names))}}}"


def _is_fit(text: str, others: Collection[str]) -> bool:
    return text != "*" and len(text) <= LONGEST and not any(map(glob(text).meets, others))


def _others(graph: LayerGraph, run: Run, tensors: Sequence[str]) -> Collection[str]:
    """The names that a glob may not meet."""
    layers = (layer.name for layer in graph.layers if layer.tensors and layer.name not in run)
    mine = frozenset(tensors)
    partly = () if _is_whole(graph, run) else tuple(run)
    return (*layers, *partly, *(name for name in graph.owner if name not in mine))


def _is_whole(graph: LayerGraph, run: Run) -> bool:
    return all(len(names) == len(graph.by_name[layer].tensors) for layer, names in run.items())


def _shown(name: str) -> str:
    """A name inside a glob: its signs that mean something else there are met by `?`."""
    return _SIGNS.sub("?", name)
