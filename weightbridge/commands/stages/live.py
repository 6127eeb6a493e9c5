"""Transfer into a live model, all or nothing."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.fits.fit import fitted
from weightbridge.commands.fits.fitted import Fitted, with_evidence
from weightbridge.commands.proof.candidates import live_candidate
from weightbridge.commands.proof.claims import NOT_RUN
from weightbridge.commands.proof.prove import prove
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.idle import refuse_in_place, refuse_unrun
from weightbridge.commands.stages.prepare import prepare, with_swapped
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.commands.stages.recalibrating import recalibrated_live
from weightbridge.commands.stages.reporting import is_wanted, judged
from weightbridge.formats.frameworks import framework_module
from weightbridge.model.tensors import Array, Tensor
from weightbridge.planning.hashes import with_content
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification
from weightbridge.transfer.digests import digest_texts
from weightbridge.transfer.execute import Ledger, values
from weightbridge.transfer.write import Written, assign


def transfer_live(source: Any, model: Any, options: Options) -> Report:
    """Plan, assign, read back, verify.

    The model keeps its old values where the verdict is no pass, or anything is raised. `fail_on="never"`
    keeps the new values whatever was found, as for a file. The optimizer is left alone either way.
    """
    refuse_unrun(options)
    refuse_in_place(options)
    options = with_policy(options)
    with rules_of(options.rules):
        fit = fitted(prepare(source, model, options), source, model, options)
        prepared = with_swapped(fit.prepared)
        plan = with_content(prepared.plan, prepared.source, prepared.target)
        prepared = replace(prepared, plan=plan)
        first = judged("transfer", prepared, options)
        if first.exit_code:
            return first
        with _live().restored_on_failure(model) as keep:
            report = _carried_out(source, model, prepared, fit, options)
            if is_wanted(report, options):
                keep()
        return report


def _carried_out(source: Any, model: Any, prepared: Prepared, fit: Fitted, options: Options) -> Report:
    """The model itself is called, with what it holds now and, as a control, with what it held before."""
    old = {t.name: t.load() for t in prepared.target.tensors} if options.verify else {}
    written = _assigned(source, model, prepared, fit, options)
    written = recalibrated_live(written, model, prepared.target, options)
    findings = (*prepared.findings, *written.findings)
    prepared = replace(prepared, plan=written.plan, findings=findings)
    if not options.verify:
        not_run = with_evidence(_not_run(written, NOT_RUN), fit)
        report = judged("transfer", prepared, options, not_run)
        return replace(report, digests=written.digests)
    candidate = live_candidate(model, _live().read(model), old)
    verification, said = prove(source, prepared.source, candidate, written, findings, options)
    verification = with_evidence(verification, fit)
    proven = replace(prepared, findings=(*findings, *said))
    return replace(judged("transfer", proven, options, verification), digests=written.digests)


def _assigned(source: Any, model: Any, prepared: Prepared, fit: Fitted, options: Options) -> Written:
    """Set the values and read them back."""
    ledger = Ledger()
    graphs = prepared.source, prepared.target
    pairs = values(prepared.plan, *graphs, ledger, options.progress, fit.values)
    digests = assign(model, _apart(source, model, pairs))
    plan, findings = ledger.applied_to(prepared.plan), tuple(ledger.findings)
    return Written(Path(), plan, len(digests), findings, digest_texts(digests))


def _not_run(written: Written, reason: str) -> Verification:
    return Verification("read-back", evidence={"read_back": written.read_back, "reason": reason})


def _apart(source: Any, model: Any, pairs: Iterable[tuple[Tensor, Array]]) -> Iterable[tuple[Tensor, Array]]:
    """All values read first where source and target share weights: setting one would change the next."""
    is_file = isinstance(source, str | Path)
    return list(pairs) if not is_file and _live().shares_weights(source, model) else pairs


def _live() -> Any:
    return framework_module(formats.FORMATS["python"])
