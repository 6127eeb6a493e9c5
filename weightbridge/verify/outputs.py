"""Which outputs are compared, and as what: plain, or before a final softmax or sigmoid saturates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from weightbridge.formats.running import Observable, Runner, Saturation
from weightbridge.model.tensors import Array
from weightbridge.verify.compare import relative_error
from weightbridge.verify.pairing import Turn, aligned, turned, turns_back

Side = Literal["reference", "candidate"]
SIDES: tuple[Side, ...] = ("reference", "candidate")
View = Literal["plain", "logits", "log-odds"]
NEAR = 1e-3  # a relative error that another layout does not give by chance
LEAST = 1e-38  # of a softmax: what float32 can still tell from 0
EDGE = 2.0**-25  # of a sigmoid, at both ends: runtimes compute it to half a unit in the last place of 1


@dataclass(frozen=True, slots=True)
class OutputPair:
    """One output of both models, at these places among the outputs of each.

    Two random classifiers have bit-equal softmax outputs, so these are compared as logits where both runners
    show them, else as log-odds, which the same logits give up to what saturation has destroyed.
    turn: what takes the candidate's arrays to the reference's layout. is_tried: whether its shape allows
    others, and this one gave equal numbers.
    """

    reference: str
    candidate: str
    places: tuple[int, int]
    view: View = "plain"
    saturation: Saturation | None = None
    turn: Turn = "same"
    is_tried: bool = False


def pair_outputs(
    runners: tuple[Runner, Runner],
    results: tuple[Mapping[str, Array], Mapping[str, Array]],
    turn: Turn,
    *,
    is_one_layout: bool = False,
) -> tuple[tuple[OutputPair, ...], tuple[str, ...]]:
    """Outputs of the reference and the candidate by name, else position, else the only one that fits.

    And what is left of both sides. is_one_layout: whether both keep channels in the same place.
    """
    references, candidates = runners[0].outputs, runners[1].outputs
    left = list(candidates)
    pairs = []
    for i, name in enumerate(references):
        fitting = _fitting(results[0][name], {other: results[1][other] for other in left}, turn)
        chosen = _chosen(name, list(fitting), candidates[i : i + 1])
        if chosen is not None:
            left.remove(chosen)
            pair = _viewed(runners, (name, chosen), (results[0][name], fitting[chosen]))
            pairs.append(_turned(pair, (results[0][name], results[1][chosen]), turn, is_one_layout))
    paired = {pair.reference for pair in pairs}
    unpaired = (name for name in references if name not in paired)
    return tuple(pairs), (*unpaired, *left)


def wanted(pairs: Sequence[OutputPair], runner: Runner, side: Side) -> tuple[str, ...]:
    """What to ask a runner of this side for besides its outputs."""
    return tuple(f"logits:{_name(pair, runner, side)}" for pair in pairs if pair.view == "logits")


def seen(result: Mapping[str, Array], pair: OutputPair, runner: Runner, side: Side) -> Array:
    """The array of a runner's result that is compared."""
    name = _name(pair, runner, side)
    match pair.view:
        case "logits":
            return _centred(result[f"logits:{name}"], result[name], pair.saturation)
        case "log-odds":
            return _log_odds(result[name], pair.saturation)
        case "plain":
            return result[name]


def _name(pair: OutputPair, runner: Runner, side: Side) -> str:
    """A rebuilt or shuffled model may have other names, in the same places."""
    return runner.outputs[pair.places[SIDES.index(side)]]


def _fitting(reference: Array, candidates: Mapping[str, Array], turn: Turn) -> dict[str, Array]:
    """The outputs that have the reference's shape, in its layout."""
    shaped = {name: aligned(reference, array, turn) for name, array in candidates.items()}
    return {name: array for name, array in shaped.items() if array is not None}


def _chosen(name: str, fitting: Sequence[str], at_position: Sequence[str]) -> str | None:
    if name in fitting:
        return name
    if at_position and at_position[0] in fitting:
        return at_position[0]
    return fitting[0] if len(fitting) == 1 else None


def _turned(pair: OutputPair, arrays: tuple[Array, Array], turn: Turn, is_one_layout: bool) -> OutputPair:
    """Where the shape does not tell (8 x 8 x 8), another layout than the likeliest if that one is equal."""
    reference, candidate = arrays
    choices = turns_back(reference, candidate, turn)
    if not choices:
        return pair
    plain = replace(pair, turn=choices[0])
    if len(choices) == 1 or is_one_layout:
        return plain
    apart = {choice: relative_error(reference, turned(candidate, choice)) for choice in choices}
    nearest = min(choices, key=lambda choice: apart[choice])
    is_told = apart[choices[0]] > NEAR >= apart[nearest]
    return replace(pair, turn=nearest, is_tried=True) if is_told else plain


def _viewed(
    runners: tuple[Runner, Runner], names: tuple[str, str], arrays: tuple[Array, Array]
) -> OutputPair:
    places = runners[0].outputs.index(names[0]), runners[1].outputs.index(names[1])
    kinds = _logits(runners[0]).get(names[0]), _logits(runners[1]).get(names[1])
    known = kinds[0] or kinds[1]
    if known is None or (known == "softmax" and not _have_the_same_classes(*arrays)):
        return OutputPair(*names, places)
    view: View = "logits" if kinds[0] == kinds[1] else "log-odds"
    return OutputPair(*names, places, view, known)


def _have_the_same_classes(reference: Array, candidate: Array) -> bool:
    """Whether both sum to one along the same axes: a softmax over others is another function."""
    axes = _axes_of_one(reference), _axes_of_one(candidate)
    return bool(set(axes[0]) & set(axes[1])) or axes[0] == axes[1]


def _logits(runner: Runner) -> Mapping[str, Saturation]:
    return runner.logits if isinstance(runner, Observable) else {}


def _centred(logits: Array, probabilities: Array, saturation: Saturation | None) -> Array:
    """What is added to all logits of an item alike does not reach the probabilities, and is no difference."""
    if saturation != "softmax" or logits.shape != probabilities.shape:
        return logits
    exact = np.asarray(logits, np.float64)
    mean = exact.mean(axis=_class_axes(probabilities), keepdims=True)
    return np.asarray(exact - mean)


def _log_odds(probabilities: Array, saturation: Saturation | None) -> Array:
    p = np.clip(np.asarray(probabilities, np.float64), EDGE if saturation == "sigmoid" else LEAST, 1 - EDGE)
    if saturation == "sigmoid":
        return np.asarray(np.log(p) - np.log1p(-p))
    logs = np.log(p)
    mean = logs.mean(axis=_class_axes(p), keepdims=True)
    return np.asarray(logs - mean)


def _class_axes(p: Array) -> tuple[int, ...]:
    """The axes along which probabilities sum to one; the last where none are found."""
    return next(iter(_axes_of_one(p)), (p.ndim - 1,))


def _axes_of_one(p: Array) -> list[tuple[int, ...]]:
    """All axes but the batch's, and then all runs of axes, along which an array sums to one."""
    last = p.ndim - 1
    single = [(last,), *((axis,) for axis in range(1, last))]
    runs = [tuple(range(a, b)) for a in range(1, last) for b in range(a + 2, p.ndim + 1)]
    exact = np.asarray(p, np.float64)
    return [axes for axes in (*single, *runs) if np.allclose(exact.sum(axis=axes), 1.0, atol=1e-3)]
