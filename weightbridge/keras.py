"""Keras callbacks: training starts from a transfer alone, and goes on as `advise` says."""

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from weightbridge.boundary.checked import path_of
from weightbridge.boundary.globs import glob
from weightbridge.commands.freeze import advised_groups
from weightbridge.errors import UsageError, VerdictError
from weightbridge.formats.keras.framework import live
from weightbridge.formats.keras.framework.callbacks import BeforeTraining
from weightbridge.formats.keras.framework.tuning import Groups, Mode, PullToStart, Rates, Unfreezing
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Step
from weightbridge.report.load import load_report
from weightbridge.report.values import Report
from weightbridge.transfer.digests import digest_of, digest_texts

__all__ = ["L2SP", "DiscriminativeRates", "GradualUnfreezing", "RequireTransfer"]

SHOWN = 3
OnMismatch = Literal["raise", "warn"]


class RequireTransfer(BeforeTraining):
    """Refuses to start `fit` where the model does not hold what a transfer wrote into it.

    Every variable is compared, by its digest, with the report's steps; those that the transfer left fresh or
    as they were are not. A variable that the report does not know, and a step without one, count too.
    Where training goes on (`initial_epoch` above 0), it warns alone.

    report: the path of the transfer's report (`--report json=transfer.json`), or the Report itself.
    on_mismatch: `raise` a VerdictError before the first batch, or `warn`.
    allow: globs over tensors or layers that may hold other values.

    Raises UsageError for a report that is of no transfer.

    >>> model.fit(x, y, callbacks=[RequireTransfer("transfer.json", allow=["head/*"])])
    """

    def __init__(
        self,
        report: str | PathLike[str] | Report,
        *,
        on_mismatch: OnMismatch = "raise",
        allow: str | Iterable[str] = (),
    ) -> None:
        if on_mismatch not in ("raise", "warn"):
            raise UsageError(
                f"on_mismatch={on_mismatch!r}: expected 'raise' or 'warn'", fix="Give one of these"
            )
        self.allow = (allow,) if isinstance(allow, str) else tuple(allow)
        self.name, self.report = _read(report)
        super().__init__(self.mismatch, self._refusal if on_mismatch == "raise" else None)

    def mismatch(self, model: Any) -> str:
        """What a model holds that the transfer has not written, in one sentence; "" where nothing is."""
        graph = live.read(model)
        steps = {} if self.report.plan is None else {step.target: step for step in self.report.plan.steps}
        _refuse_idle(self.allow, graph, steps)
        found = _wrong(graph, steps, self.report.digests)
        wrong = [(name, why) for name, why in found if not self._is_allowed(graph, name)]
        return _said(wrong, len(steps.keys() | graph.tensor_by_name.keys()), self.name) if wrong else ""

    def _refusal(self, wrong: str) -> VerdictError:
        return VerdictError(f"{wrong}. Training was not started", report=self.report, fix=FIX)

    def _is_allowed(self, graph: LayerGraph, name: str) -> bool:
        owner = graph.owner.get(name)
        names = (name,) if owner is None else (name, owner.name)
        return any(glob(text).meets(one) for text in self.allow for one in names)


class GradualUnfreezing(Unfreezing):
    """Trains the head alone, and one group more whenever the validation metric stops improving.

    A layer that waits is frozen: its BatchNormalization keeps its statistics. The optimizer starts anew with
    each group, at the learning rate of that moment. `.unfrozen` holds (epoch, groups trained from it on).

    groups: the report of `weightbridge.advise`, or the names of the layers of each group, the head's last.
    monitor: what `fit` logs, such as `val_loss` or `val_accuracy`; patience: epochs without an improvement of
        more than min_delta; mode: `min`, `max`, or `auto`, where losses and errors are to fall.

    Raises UsageError, as training begins, for layers that the model has not.

    >>> model.fit(x, y, validation_data=held, callbacks=[GradualUnfreezing(advice, monitor="val_loss")])
    """

    def __init__(
        self,
        groups: Report | Groups,
        *,
        monitor: str = "val_loss",
        patience: int = 2,
        min_delta: float = 0.0,
        mode: Mode = "auto",
    ) -> None:
        super().__init__(_groups(groups), monitor, patience, min_delta, mode)


class DiscriminativeRates(Rates):
    """Smaller steps for lower layers: the learning rate divided from each group to the next below.

    After each batch, what the optimizer moved a variable by is scaled (Howard and Ruder 2018, ULMFiT).

    groups: the report of `weightbridge.advise`, or the names of the layers of each group, the head's last.
    divisor: from one group to the next below, 2.6 as in the source.

    Raises UsageError for layers that the model has not, or a divisor below 1.

    >>> model.fit(x, y, callbacks=[DiscriminativeRates(advice)])
    """

    def __init__(self, groups: Report | Groups, *, divisor: float = 2.6) -> None:
        if divisor < 1:
            raise UsageError(f"divisor={divisor}: expected 1 or more", fix="Lower layers take smaller steps")
        layers = _groups(groups)
        super().__init__(layers, [divisor ** (n + 1 - len(layers)) for n in range(len(layers))])


class L2SP(PullToStart):
    """Pulls what was transferred to where it starts, and the head to zero (Li et al. 2018, L2-SP).

    Half of `strength` times the squared distance is added to the loss while it trains.

    groups: the report of `weightbridge.advise`, or the names of the layers of each group, the head's last.
    strength: for all groups but the last; head_strength: for the last.

    Raises UsageError for layers that the model has not.

    >>> model.fit(x, y, callbacks=[L2SP(advice, strength=0.01)])
    """

    def __init__(
        self, groups: Report | Groups, *, strength: float = 0.01, head_strength: float = 0.01
    ) -> None:
        super().__init__(_groups(groups), strength, head_strength)


def _groups(groups: Report | Groups) -> Groups:
    if isinstance(groups, Report):
        return advised_groups(groups)
    if not groups or any(isinstance(group, str) for group in groups):
        raise UsageError(
            "groups are lists of names of layers, one list each", fix="The head's list is the last"
        )
    return tuple(tuple(group) for group in groups)


FIX = "load what the transfer wrote, transfer into this model again, or name what may differ: allow=[...]"


def _read(report: str | PathLike[str] | Report) -> tuple[str, Report]:
    if isinstance(report, Report):
        name, read = "the transfer's report", report
    else:
        path = path_of("report", report)
        name, read = path.name, _of_one(path)
    if not read.digests:
        fix = "Give that of a transfer that wrote: weightbridge transfer ... --report json=transfer.json"
        raise UsageError(
            f"the report of this {read.command} has no digests of what was written", where=name, fix=fix
        )
    return name, read


def _of_one(path: Path) -> Report:
    report = load_report(path)
    if not isinstance(report, Report):
        raise UsageError(
            "this is the report of several pairs", where=str(path), fix="Give that of one transfer"
        )
    return report


def _refuse_idle(allow: Iterable[str], graph: LayerGraph, steps: Mapping[str, Step]) -> None:
    """A glob that names nothing would allow nothing, in silence."""
    names = {*graph.tensor_by_name, *steps, *(layer.name for layer in graph.layers)}
    for text in allow:
        if not any(map(glob(text).meets, names)):
            raise UsageError(
                f"allow={text!r} names no tensor and no layer", fix="Look at what `inspect` lists"
            )


def _wrong(
    graph: LayerGraph, steps: Mapping[str, Step], digests: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """(tensor, what is wrong with it), in the model's order; then what the model does not have."""
    for tensor in graph.tensors:
        step = steps.get(tensor.name)
        if step is None:
            yield tensor.name, "the transfer knows no such variable"
        elif tensor.shape != step.shape:
            yield tensor.name, f"its shape is {tensor.shape}, expected {step.shape}"
        elif tensor.name in digests and _digest(tensor) != digests[tensor.name]:
            yield tensor.name, f"other values than the transfer wrote ({step.contract})"
    known = graph.tensor_by_name
    yield from ((name, "the model has no such variable") for name in steps if name not in known)


def _digest(tensor: Any) -> str:
    return digest_texts({tensor.name: digest_of(tensor.load())})[tensor.name]


def _said(wrong: list[tuple[str, str]], total: int, name: str) -> str:
    """`2 of 4 tensors are not what transfer.json says: body/kernel: other values ...; ...`."""
    shown = "; ".join(f"{tensor}: {why}" for tensor, why in wrong[:SHOWN])
    more = f"; and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
    are = "tensor is" if len(wrong) == total == 1 else "tensors are"
    return f"{len(wrong):,} of {total:,} {are} not what {name} says: {shown}{more}"
