"""Which outputs are compared, and as what: plain, or before a final softmax or sigmoid saturates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from weightbridge.formats.running import Observable, Runner, Saturation
from weightbridge.model.tensors import Array
from weightbridge.verify.pairing import Turn, aligned

Side = Literal["reference", "candidate"]
SIDES: tuple[Side, ...] = ("reference", "candidate")
View = Literal["plain", "logits", "log-odds"]
LEAST, MOST = 1e-38, 1 - 2.0**-25  # what float32 can still tell from 0 and from 1


@dataclass(frozen=True, slots=True)
class OutputPair:
    """One output of both models, at these places among the outputs of each.

    Two random classifiers have bit-equal softmax outputs, so these are compared as logits where both runners
    show them, else as log-odds, which the same logits give up to what saturation has destroyed.
    """

    reference: str
    candidate: str
    places: tuple[int, int]
    view: View = "plain"
    saturation: Saturation | None = None


def pair_outputs(
    runners: tuple[Runner, Runner], results: tuple[Mapping[str, Array], Mapping[str, Array]], turn: Turn
) -> tuple[tuple[OutputPair, ...], tuple[str, ...]]:
    """Outputs of the reference and the candidate by name, else position, else the only one that fits.

    And what is left of both sides.
    """
    references, candidates = runners[0].outputs, runners[1].outputs
    left = list(candidates)
    pairs = []
    for i, name in enumerate(references):
        fitting = [o for o in left if aligned(results[0][name], results[1][o], turn) is not None]
        chosen = _chosen(name, fitting, candidates[i : i + 1])
        if chosen is not None:
            left.remove(chosen)
            pairs.append(_viewed(runners, name, chosen))
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


def _chosen(name: str, fitting: Sequence[str], at_position: Sequence[str]) -> str | None:
    if name in fitting:
        return name
    if at_position and at_position[0] in fitting:
        return at_position[0]
    return fitting[0] if len(fitting) == 1 else None


def _viewed(runners: tuple[Runner, Runner], reference: str, candidate: str) -> OutputPair:
    places = runners[0].outputs.index(reference), runners[1].outputs.index(candidate)
    kind, candidate_kind = _logits(runners[0]).get(reference), _logits(runners[1]).get(candidate)
    known = kind or candidate_kind
    if known is None:
        return OutputPair(reference, candidate, places)
    view: View = "logits" if kind == candidate_kind else "log-odds"
    return OutputPair(reference, candidate, places, view, known)


def _logits(runner: Runner) -> Mapping[str, Saturation]:
    return runner.logits if isinstance(runner, Observable) else {}


def _centred(logits: Array, probabilities: Array, saturation: Saturation | None) -> Array:
    """What is added to all logits of an item alike does not reach the probabilities, and is no difference."""
    if saturation != "softmax" or logits.shape != probabilities.shape:
        return logits
    exact = np.asarray(logits, np.float64)
    mean = exact.mean(axis=_class_axis(probabilities), keepdims=True)
    return np.asarray(exact - mean)


def _log_odds(probabilities: Array, saturation: Saturation | None) -> Array:
    p = np.clip(np.asarray(probabilities, np.float64), LEAST, MOST)
    if saturation == "sigmoid":
        return np.asarray(np.log(p) - np.log1p(-p))
    logs = np.log(p)
    mean = logs.mean(axis=_class_axis(p), keepdims=True)
    return np.asarray(logs - mean)


def _class_axis(p: Array) -> int:
    """The axis along which probabilities sum to one: the last, or the second in channels-first models."""
    is_last = p.ndim < 3 or bool(np.allclose(p.sum(axis=-1), 1.0, atol=1e-3))
    return -1 if is_last else 1
