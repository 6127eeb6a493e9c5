"""The statistics of every BatchNormalization of a live model, computed exactly from inputs."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from weightbridge.boundary.options import Progress, silent
from weightbridge.errors import RunError
from weightbridge.formats.keras.framework import live
from weightbridge.formats.keras.framework.backends import (
    as_array,
    as_tensor,
    inference,
    is_concrete,
)
from weightbridge.formats.keras.framework.inputs import called, input_specs
from weightbridge.formats.keras.framework.runs.logits import replaced
from weightbridge.formats.keras.framework.runs.state import Values, holding
from weightbridge.formats.keras.framework.walk import live_layers
from weightbridge.formats.moments import Moments
from weightbridge.model.flow import ancestors
from weightbridge.model.tensors import Array

NUMBERS, MOST = 1 << 21, 1024  # of one batch: numbers of the inputs, and inputs
STAGE = "computing statistics"
Seen = Callable[["Norm", Array], None]


@dataclass(frozen=True, slots=True)
class Norm:
    """A BatchNormalization by its name in the model, and those that must be known before it."""

    name: str
    layer: Any
    before: frozenset[str]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What one BatchNormalization is given: `values` is how many a channel.

    held: by role (`moving_mean`, `moving_variance`), as the model holds them now; found: as computed.
    """

    name: str
    values: int
    held: Mapping[str, Array]
    found: Mapping[str, Array]


def statistics(
    model: Any, feeds: Mapping[str, Array], progress: Progress = silent, only: Collection[str] | None = None
) -> tuple[Statistics, ...]:
    """The mean and variance over all inputs of what each BatchNormalization gets, in the model's order.

    only: the names of those that change, None for all.

    They are exact for inference: those of the whole population, computed while every norm before has its own
    new ones. (In training mode a norm behind another sees what another batch's statistics made of its batch,
    and dropout.) All norms with none left before them are done in one pass; one pass does for all where one
    batch holds all inputs. The model is not changed. Norms that the inputs do not reach are left out.
    Raises RunError where the model cannot run, or a statistic is not finite.
    """
    norms = tuple(norm for norm in _norms(model) if only is None or norm.name in only)
    batches = list(_batches(feeds, model))
    known = _at_once(model, batches[0], norms) if len(batches) == 1 else None
    if known is None:
        known = _in_turns(model, batches, norms, progress)
    progress(STAGE, len(norms), len(norms))
    return tuple(_statistics(norm, known[norm.name], model) for norm in norms if norm.name in known)


def values_of(layer: Any, moments: Moments) -> dict[str, Array]:
    """By the variable's attribute; Keras's batch renormalisation has a running deviation too."""
    found = {"moving_mean": moments.mean, "moving_variance": moments.variance}
    if getattr(layer, "renorm", False):
        deviation = np.sqrt(moments.variance + layer.epsilon)
        found |= {"moving_stddev": deviation, "renorm_mean": moments.mean, "renorm_stddev": deviation}
    return found


def _norms(model: Any) -> tuple[Norm, ...]:
    """Those that must be known before one: all that the graph has before it; None where there is no graph."""
    layers = [one for one in live_layers(model) if isinstance(one.layer, keras.layers.BatchNormalization)]
    names = {one.name for one in layers}
    before = _before(model, names)
    return tuple(Norm(one.name, one.layer, before(one.name)) for one in layers if one.layer.built)


def _before(model: Any, names: set[str]) -> Callable[[str], frozenset[str]]:
    graph = live.read(model)
    dag = graph.dag
    if not dag.number_of_edges():
        return lambda name: frozenset(names - {name})
    return lambda name: frozenset(ancestors(dag, name) & names) if name in dag else frozenset(names - {name})


def _batches(feeds: Mapping[str, Array], model: Any) -> Iterator[list[Any]]:
    """As many inputs at once as have room; a model with a fixed batch takes that."""
    specs = input_specs(model, "the model")
    count = len(next(iter(feeds.values())))
    numbers = sum(array[0].size for array in feeds.values())
    size = specs[0].shape[0] or min(max(NUMBERS // max(numbers, 1), 8), MOST)
    for start in range(0, count, size):
        yield [feeds[spec.name][start : start + size] for spec in specs]


def _at_once(model: Any, arrays: list[Any], norms: tuple[Norm, ...]) -> dict[str, Moments] | None:
    """One batch is the population: each norm is set when it is called. None where one is called twice."""
    found: dict[str, Moments] = {}

    def seen(norm: Norm, rows: Array) -> None:
        if norm.name in found:
            raise _Enough
        found[norm.name] = Moments()
        found[norm.name].add(rows)
        _set_meanwhile(norm.layer, found[norm.name])

    return found if _run(model, arrays, norms, seen) else None


def _in_turns(
    model: Any, batches: list[list[Any]], norms: tuple[Norm, ...], progress: Progress
) -> dict[str, Moments]:
    """Pass by pass the norms before which all others are known; else the first that is called."""
    known: dict[str, Moments] = {}
    while len(known) < len(norms):
        progress(STAGE, len(known), len(norms))
        watched, is_ready = _next(norms, known)
        found: dict[str, Moments] = {}
        seen = partial(_add, found, is_ready)
        for arrays in batches:
            _run(model, arrays, watched, seen, _held(norms, known))
        if not found:
            break
        known |= found
    return known


def _next(norms: tuple[Norm, ...], known: Mapping[str, Moments]) -> tuple[tuple[Norm, ...], bool]:
    """Those with none left before them; else all that are left, of which the first that is called counts."""
    left = tuple(norm for norm in norms if norm.name not in known)
    names = {norm.name for norm in left}
    ready = tuple(norm for norm in left if not norm.before & names)
    return (ready, True) if ready else (left, False)


def _add(found: dict[str, Moments], takes_all: bool, norm: Norm, rows: Array) -> None:
    if found and norm.name not in found and not takes_all:
        raise _Enough
    found.setdefault(norm.name, Moments()).add(rows)


def _held(norms: tuple[Norm, ...], known: Mapping[str, Moments]) -> Values:
    """The variables of the norms that are done, with their new values."""
    done = [norm for norm in norms if norm.name in known]
    pairs = [(norm.layer, values_of(norm.layer, known[norm.name])) for norm in done]
    return tuple(
        (getattr(layer, role), keras.ops.convert_to_tensor(value, getattr(layer, role).dtype))
        for layer, values in pairs
        for role, value in values.items()
    )


def _run(model: Any, arrays: list[Any], watched: tuple[Norm, ...], seen: Seen, values: Values = ()) -> bool:
    """Whether the run came to its end. seen: what is done with the rows that a norm gets, before it runs."""
    where = str(getattr(model, "name", "model"))
    specs = input_specs(model, where)
    try:
        with inference("float32"), holding(model, values), ExitStack() as stack:
            for norm in watched:
                stack.enter_context(replaced(norm.layer, "call", _watch(norm, seen)))
            called(model, specs, [as_tensor(array) for array in arrays])
    except _Enough:
        return False
    except RunError:
        raise
    except Exception as error:  # whatever a layer, or the backend, raises
        lines = str(error).splitlines() or [type(error).__name__]
        raise RunError(f"the model cannot run on these inputs: {lines[-1][:300]}", where=where) from error
    return True


class _Enough(Exception):
    """The pass has seen what it was for."""


def _watch(norm: Norm, seen: Seen) -> Callable[..., Any]:
    original = norm.layer.call

    def watching(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if not is_concrete(inputs):
            raise RunError(
                f"layer {norm.name!r} runs inside a traced loop, where nothing can be computed of its inputs",
                where=norm.name,
                fix="Put the normalisation behind the loop, or train on some data instead",
            )
        seen(norm, _rows(as_array(inputs), norm.layer.axis, mask))
        return original(inputs, training=False, mask=mask)

    return watching


def _rows(array: Array, axis: int, mask: Any) -> Array:
    """Values x channels, without those that a mask leaves out."""
    last = np.moveaxis(array.astype(np.float64), axis, -1)
    rows = last.reshape(-1, last.shape[-1])
    return rows if mask is None else rows[as_array(mask).astype(bool).reshape(-1)]


def _set_meanwhile(layer: Any, moments: Moments) -> None:
    """For the rest of this run: the model runs in a scope that forgets what is assigned in it."""
    for role, value in values_of(layer, moments).items():
        variable = getattr(layer, role)
        variable.assign(keras.ops.convert_to_tensor(value, variable.dtype))


def _statistics(norm: Norm, moments: Moments, model: Any) -> Statistics:
    found = values_of(norm.layer, moments)
    if not all(np.isfinite(value).all() for value in found.values()):
        raise RunError(
            f"what layer {norm.name!r} gets on these inputs is not finite, so it has no mean",
            where=str(model.name),
            fix="Look for NaN among the weights, or scale the inputs as the model was trained on them",
        )
    held = {role: as_array(getattr(norm.layer, role).value) for role in found}
    return Statistics(norm.name, moments.count, held, found)
