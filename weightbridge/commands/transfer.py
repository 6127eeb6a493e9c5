"""transfer: plan, write OUTPUT beside itself, read it back, verify it, rename it into place."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.fits.fit import fitted
from weightbridge.commands.fits.fitted import with_evidence
from weightbridge.commands.proof.claims import NOT_RUN, unproven
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.idle import refuse_unrun
from weightbridge.commands.stages.prepare import prepare, with_swapped
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.commands.stages.recalibrating import recalibrated_file, refuse_uncalibrated
from weightbridge.commands.stages.reporting import asked_for, file_entry, is_wanted, judged
from weightbridge.errors.diagnostics import Finding
from weightbridge.planning.hashes import content_meanwhile
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification
from weightbridge.transfer.stage import check_output, publish, staged
from weightbridge.transfer.write import Written, write


def transfer(source: Any, target: Any, output: Path, options: Options) -> Report:
    """OUTPUT appears only where nothing stands against it."""
    refuse_unrun(options)
    check_output(output, options.overwrite, (source, target))
    refuse_uncalibrated(output, options)
    options = with_policy(options)
    with ExitStack() as stack:
        stack.enter_context(rules_of(options.rules))
        temporary = stack.enter_context(staged(output))
        template = stack.enter_context(formats.template_of(target, output, options.target_arguments))
        fit = fitted(prepare(source, template.target, options), source, template.target.path, options)
        prepared = with_swapped(fit.prepared)
        with_hashes = stack.enter_context(
            content_meanwhile(prepared.source, prepared.target, hashes=options.hashes)
        )
        if judged("transfer", prepared, options).exit_code:
            refused = replace(_named(prepared, target), plan=with_hashes(prepared.plan))
            return asked_for(judged("transfer", refused, options), output)
        template = formats.template_for(template, prepared.target)
        written = write(prepared.plan, prepared.source, template, temporary, options, fitted=fit.values)
        written = recalibrated_file(written, prepared.target, options)
        prepared = replace(
            prepared, plan=with_hashes(written.plan), findings=(*prepared.findings, *written.findings)
        )
        verification, said = _verified(source, prepared, written, options)
        verification = with_evidence(verification, fit)
        proven = replace(_named(prepared, target), findings=(*prepared.findings, *said))
        report = judged("transfer", proven, options, verification)
        if is_wanted(report, options):
            wrote = file_entry(temporary, output, written.sha256 if options.hashes else None)
            report = replace(report, wrote=wrote, digests=written.digests)
            publish(temporary, output)
    return asked_for(report, output)


def _verified(
    source: Any, prepared: Prepared, written: Written, options: Options
) -> tuple[Verification, tuple[Finding, ...]]:
    if not options.verify:
        return unproven(written, (*prepared.findings, *prepared.source.findings), NOT_RUN), ()
    # what proves is not loaded where nothing is to be proven
    from weightbridge.commands.proof.candidates import written_candidate
    from weightbridge.commands.proof.prove import prove

    with TemporaryDirectory(prefix="weightbridge-") as folder:
        candidate = written_candidate(prepared.target, written.path, Path(folder))
        return prove(source, prepared.source, candidate, written, prepared.findings, options)


def _named(prepared: Prepared, target: Any) -> Prepared:
    """The target by the name that the user gave it: one that was built from code was a temporary file."""
    name = target if isinstance(target, str | Path) else getattr(target, "name", "model")
    return replace(prepared, target=replace(prepared.target, path=str(name)))
