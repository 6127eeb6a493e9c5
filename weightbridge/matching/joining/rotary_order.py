"""Queries and keys whose rotary pairs lie side by side (Meta's Llama) into models that rotate halves, and
back.

Within each head, pairs are the rows 0 1, 2 3, ...; halves are the rows 0 n/2, 1 n/2+1, ...
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor

PAIRED = re.compile(r"(^|[./])w[qk][./](weight|bias|kernel)$")
BESIDE = re.compile(r"(^|[./])(tok_embeddings[./]|rope\.freqs$)")
BY_HEAD = 3  # axes of a kernel that has its heads apart
FIX = "put the params.json or config.json of the checkpoint beside it: it has the number of heads"


@dataclass(frozen=True, slots=True)
class Reordered:
    """The matches with the order inside heads, and what is to be said."""

    matches: Mapping[str, Match]
    findings: tuple[Finding, ...] = ()


def rotary_order(source: LayerGraph, target: LayerGraph, matches: Mapping[str, Match]) -> Reordered:
    """Nothing changes where both sides, or none, keep rotary pairs side by side."""
    source_paired, target_paired = keeps_pairs(source), keeps_pairs(target)
    if source_paired == target_paired:
        return Reordered({})
    concerned = {m.target: m for m in matches.values() if _is_concerned(m, source_paired)}
    width = _head_width(source, target, concerned.values())
    if not width:
        unsure = {name: _doubted(match) for name, match in concerned.items()}
        return Reordered(unsure, (_unknown(concerned),) if concerned else ())
    order = "halves" if source_paired else "pairs"
    return Reordered({name: _moved(m, source, order, width) for name, m in concerned.items()})


def keeps_pairs(graph: LayerGraph) -> bool:
    """Whether a file has Meta's names, whose code rotates neighbours."""
    names = [*graph.tensor_by_name, *(tensor.name for tensor in graph.excluded)]
    return any(map(BESIDE.search, names)) and any(map(PAIRED.search, names))


def _is_concerned(match: Match, source_paired: bool) -> bool:
    names = match.sources if source_paired else (match.target,)
    return any(map(PAIRED.search, names))


def _head_width(source: LayerGraph, target: LayerGraph, matches: Iterable[Match]) -> int:
    """The channels of a head: as a file says, or as a kernel has them; 0 where nothing tells."""
    told = source.head_width or target.head_width
    names = [name for match in matches for name in (match.target, *match.sources)]
    tensors = [
        graph.tensor_by_name[name] for graph in (target, source) for name in names if name in graph.owner
    ]
    by_head = [tensor.shape[-1] for tensor in tensors if len(tensor.shape) == BY_HEAD]
    return told or next(iter(by_head), 0)


def _moved(match: Match, source: LayerGraph, order: str, width: int) -> Match:
    """The match with the rows of its queries and keys in the other order first."""
    is_single = len(match.sources) == 1
    recipes = [_recipe(source, name, order, width, is_single) for name in match.sources]
    behind = {"then": match.transform, "with": match.parameters}
    if is_single:
        parameters = {**recipes[0]["parameters"], **behind}  # type: ignore[dict-item]  # a recipe's own
        return replace(match, transform="rotary-order", parameters=parameters)
    return replace(match, transform="computed", parameters={"weights": recipes, **behind})


def _recipe(source: LayerGraph, name: str, order: str, width: int, is_single: bool) -> dict[str, object]:
    if not (is_single or PAIRED.search(name)):
        return {"transform": "", "parameters": {}, "parts": 1}
    axis = _axis(source, source.tensor_by_name[name])
    parameters = {"axis": axis, "width": width, "order": order}
    return {"transform": "rotary-order", "parameters": parameters, "parts": 1}


def _axis(graph: LayerGraph, tensor: Tensor) -> int:
    """The axis along which heads lie, or the channels of one."""
    return 0 if graph.framework == "torch" and tensor.axes != "i o" else len(tensor.shape) - 1


def _doubted(match: Match) -> Match:
    return replace(match, confidence=min(match.confidence, DOUBTFUL))


def _unknown(matches: Mapping[str, Match]) -> Finding:
    shown = listed([f"{m.target} <- {m.sources[0]}" for m in matches.values()], 3)
    first = next(iter(matches.values()))
    message = (
        f"{shown}: one side rotates neighbouring channels of each head, the other its halves;"
        " the order inside heads cannot be mended, as nothing says how many heads there are"
    )
    return finding("WB404", message, source=first.sources[0], target=first.target, fix=FIX)
