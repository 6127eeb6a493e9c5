"""What a fit is worth, beside fair controls on the same inputs: measured, said (WB308), in the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from weightbridge.adapters.fit.carry_out import Result
from weightbridge.adapters.fit.goals import Pair
from weightbridge.adapters.fit.snapshot import Weights
from weightbridge.adapters.fit.worth import (
    FITTED,
    Arm,
    Exam,
    arm,
    best_of,
    controls,
    is_better,
    knows_more,
    source_accuracy,
)
from weightbridge.boundary.options import Options
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.flow import Flow
from weightbridge.matching.match import match
from weightbridge.model.tensors import Array
from weightbridge.plan import Fit
from weightbridge.planning.make import make_plan
from weightbridge.report.words import percent
from weightbridge.transfer.execute import Ledger, values

Cropped = Callable[[], Mapping[str, Array]]
OTHERWISE = "train the target from its own start, or give a source of a nearer task or more inputs"


@dataclass(frozen=True, slots=True)
class Worth:
    """arms: the fit first, then the controls; none where the classes of the two differ."""

    arms: tuple[Arm, ...] = ()
    findings: tuple[Finding, ...] = ()


def worth_of(target: Flow, pairs: Sequence[Pair], asked: Exam, fresh: Weights, cropped: Cropped) -> Worth:
    """The target holds what was fitted; afterwards it holds something else."""
    last = pairs[-1].target
    if last.shape != asked.judged.shape[1:]:
        return Worth()
    mine = arm(FITTED, target, last, asked)
    others = controls(target, pairs, asked, fresh, cropped())
    count = len(asked.judged_x)
    known = source_accuracy(asked)
    better = tuple(o for o in others if not (is_better(mine, o, count) and knows_more(known, o)))
    return Worth((mine, *others), (_risk(mine, best_of(better)),) if better else ())


def trial_risk(fit: Fit) -> tuple[Finding, ...]:
    """WB308 by the trial alone, where nothing more is carried out."""
    if fit.score is None or fit.control is None or fit.score > fit.control:
        return ()
    message = (
        f"a fit on some of the inputs predicts the source's logits on others with R2 {fit.score:.2f}, "
        f"a target without anything of the source with {fit.control:.2f}: its layers do not help here"
    )
    return (finding("WB308", message, fix=OTHERWISE),)


def cropped(prepared: Prepared, options: Options) -> Mapping[str, Array]:
    """What `--adapt weights` would give, without any inputs."""
    source, target = prepared.source, prepared.target
    told = replace(options, adapt="weights")
    plan, _ = make_plan(source, target, match(source, target, told), told)
    return {tensor.name: value for tensor, value in values(plan, source, target, Ledger())}


def chosen_evidence(fit: Fit) -> dict[str, Any]:
    """How the stages were paired, and what is expected of it."""
    cuts = [[cut.target, cut.source] for cut in fit.cuts]
    scores = {"score": fit.score, "control": fit.control, "tried": dict(fit.tried)}
    return {"way": fit.way, **scores, "cuts": cuts}


def fit_evidence(fit: Fit, result: Result, worth: Worth, asked: Exam) -> dict[str, Any]:
    """For the report: the choice, what it is worth, and every layer."""
    return {
        **chosen_evidence(fit),
        "fitted_to": len(asked.x),
        "judged_on": len(asked.judged_x),
        "source_accuracy": source_accuracy(asked),
        "arms": [asdict(one) for one in worth.arms],
        "layers": [_layer(asdict(layer)) for layer in result.layers],
    }


def _layer(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "r2": None if entry["r2"] is None else round(entry["r2"], 4)}


def _risk(mine: Arm, other: Arm) -> Finding:
    by_labels = mine.accuracy is not None and other.accuracy is not None
    what = "is right" if by_labels else "agrees with the source"
    shares = (mine.accuracy, other.accuracy) if by_labels else (mine.agreement, other.agreement)
    message = (
        f"the fitted target {what} for {percent(shares[0] or 0)} of the inputs that nothing was fitted to, "
        f"a control ({other.name}) for {percent(shares[1] or 0)}, with R2 {mine.logit_r2:.2f} and "
        f"{other.logit_r2:.2f} of its logits: the source's layers do not help here"
    )
    return finding("WB308", message, fix=OTHERWISE)
