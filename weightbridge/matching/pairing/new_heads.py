"""A new head is no convolution of the trunk, though a 1x1 kernel has its shape."""

from collections.abc import Iterator
from dataclasses import replace

from weightbridge.matching.context import Context
from weightbridge.matching.units.effective_attributes import effective
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import PASSING, RESHAPES
from weightbridge.rules.words import words

TOLD = frozenset({"map", "name", "suffix", "words", "function"})  # evidence that says more than a shape
OF_OUTPUTS = frozenset(
    {"class", "classes", "classifier", "head", "logit", "logits", "fc", "output", "pred", "preds"}
)
FINAL = frozenset({"linear", "softmax", "sigmoid", "log_softmax"})
THROUGH = PASSING | RESHAPES | {"Activation"}


def without_trunk_heads(context: Context) -> Context:
    """The context without pairs of a dense head behind pooling and a convolution that is none."""
    kept = {pair.target: pair for pair in context.pairs.values() if not _is_mistaken(context, pair)}
    return context if len(kept) == len(context.pairs) else replace(context, pairs=kept)


def _is_mistaken(context: Context, pair: LayerPair) -> bool:
    source, target = context.source.by_name[pair.source], context.target.by_name[pair.target]
    if source.layer.op != "Conv" or target.layer.op != "Dense" or not TOLD.isdisjoint(pair.evidence):
        return False
    is_new_head = _is_last(context.target, target) and _is_pooled(context.target.graph, target)
    return is_new_head and not _may_be_head(context.source, source)


def _is_last(side: Reduced, unit: Unit) -> bool:
    """Whether nothing with weights reads what it writes."""
    return side.graph.has_flow and not any(side.by_name[n].has_weights for n in _below(side, unit.name))


def _below(side: Reduced, name: str) -> Iterator[str]:
    waiting, seen = list(side.children[name]), set()
    while waiting:
        child = waiting.pop()
        if child not in seen:
            seen.add(child)
            yield child
            waiting += side.children[child]


def _is_pooled(graph: LayerGraph, unit: Unit) -> bool:
    """Whether a global pooling gives what it reads."""
    parents = graph.parents[unit.layer.name]
    while len(parents) == 1 and graph.by_name[parents[0]].op in THROUGH:
        parents = graph.parents[parents[0]]
    return len(parents) == 1 and graph.by_name[parents[0]].op == "GlobalPool"


def _may_be_head(side: Reduced, unit: Unit) -> bool:
    """A convolution that writes the output, or reads what is pooled already."""
    if not side.graph.has_flow:
        is_listed_last = side.graph.order in ("flow", "list") and side.weighted[-1].name == unit.name
        return is_listed_last or not OF_OUTPUTS.isdisjoint(words(unit.name))
    activation = effective(side.graph, unit.layer).get("activation", "linear")
    writes_output = _is_last(side, unit) and activation in FINAL
    return writes_output or _is_pooled(side.graph, unit)
