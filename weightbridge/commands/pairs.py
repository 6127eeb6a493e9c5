"""check and plan over all pairs of a policy: each is done, whatever became of the one before."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from weightbridge.boundary.files import make_folder
from weightbridge.boundary.options import Options
from weightbridge.commands.check import check
from weightbridge.commands.plan import plan
from weightbridge.commands.stages.prepare import prepare
from weightbridge.commands.stages.reporting import judged
from weightbridge.errors import UsageError, WeightbridgeError
from weightbridge.report.baseline.apply import of_other_pairs
from weightbridge.report.baseline.report import entries_of
from weightbridge.report.pairs import PairsReport
from weightbridge.report.policy import Pair, Policy, pair_of_files
from weightbridge.report.values import Report
from weightbridge.report.verdict import failed, judge

OF_A_PAIR = ("plan", "map", "fresh", "unused")
Action = Callable[[Pair, Options], Report]
Complain = Callable[[str], None]


def check_pairs(policy: Policy, options: Options, complain: Complain) -> PairsReport:
    """complain: is told what ends the check of a pair; the others go on."""
    report = _each(policy, policy.pairs, "check", options, _checked, complain)
    return replace(report, reports=(*report.reports, *_of_lost_pairs(policy, options)))


def plan_pairs(policy: Policy, options: Options, complain: Complain) -> PairsReport:
    """Writes the plan of each pair that names one."""
    return _each(policy, _planned(policy), "plan", options, _written, complain)


def locked_pairs(policy: Policy, options: Options, complain: Complain) -> PairsReport:
    """Whether each plan is about the models that are there, byte for byte; writes nothing."""
    return _each(policy, _planned(policy), "plan", options, _locked, complain)


def options_of(pair: Pair, options: Options) -> Options:
    """The options with what the pair says, where the user does not say otherwise."""
    given = {*options.explicit, *(name for name in OF_A_PAIR if getattr(options, name))}
    said = {name: value for name, value in pair.options.items() if name not in given}
    return replace(options, **said, pair=pair.name)


def _each(
    policy: Policy,
    pairs: Sequence[Pair],
    command: str,
    options: Options,
    action: Action,
    complain: Complain,
) -> PairsReport:
    if not policy.pairs:
        fix = 'Add [[pair]] with name = "...", source = "..." and target = "..."'
        raise UsageError("there is no pair of models", where=str(policy.path), fix=fix)
    reports = []
    for pair in pairs:
        try:
            reports.append(action(pair, options_of(pair, options)))
        except WeightbridgeError as error:
            complain(f"{pair.name}: {error}")
            reports.append(replace(failed(command, error, (pair.target,)), pair=pair.name))
    return PairsReport(tuple(reports), policy.path.as_posix())


def _of_lost_pairs(policy: Policy, options: Options) -> tuple[Report, ...]:
    """The entries of the baseline about pairs that are no longer there, where there are any."""
    known = {pair.name for pair in policy.pairs}
    entries = [one for one in entries_of(options) if one.pair in known or pair_of_files(one.pair) is None]
    said = of_other_pairs(entries, known, options)
    if not said:
        return ()
    report = Report("check", "pass", findings=said, pair="baseline")
    return (judge(report, replace(options, baseline=None)),)


def _planned(policy: Policy) -> Sequence[Pair]:
    pairs = [pair for pair in policy.pairs if "plan" in pair.options]
    if policy.pairs and not pairs:
        fix = 'Add plan = "plans/NAME.json" to a [[pair]]'
        raise UsageError("no pair names a plan", where=str(policy.path), fix=fix)
    return pairs


def _checked(pair: Pair, options: Options) -> Report:
    return check(pair.source, pair.target, options)


def _written(pair: Pair, options: Options) -> Report:
    output = Path(pair.options["plan"])
    make_folder(output.parent)
    return plan(pair.source, pair.target, output, replace(options, plan=None))


def _locked(pair: Pair, options: Options) -> Report:
    return judged("plan", prepare(pair.source, pair.target, options), options)
