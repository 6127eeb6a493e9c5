"""Transfer into a live model, all or nothing."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.execution import Ledger, values
from weightbridge.options import Options
from weightbridge.pipeline import Prepared, judged, prepare
from weightbridge.planfile import with_content
from weightbridge.proving import prove
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.transfer import Written


def transfer(source: Any, model: Any, options: Options) -> Report:
    """Plan, assign, verify. The model keeps its old values where the verdict is no pass, or anything is raised.

    `fail_on="never"` keeps the new values whatever was found, as for a file.
    """
    options = with_policy(options)
    live = import_module(formats.FORMATS["python"])
    made = prepare(source, model, options)
    made = replace(made, plan=with_content(made.plan, made.source, made.target))
    first = judged("transfer", made, options)
    if first.exit_code:
        return first
    with live.restored_on_failure(model) as keep, TemporaryDirectory(prefix="weightbridge-") as folder:
        before = Path(folder) / "before.keras"
        can_run = options.verify and live.try_save(model, before)
        ledger = Ledger()
        live.assign(model, values(made.plan, made.source, made.target, ledger, options.progress))
        made = replace(made, plan=ledger.applied_to(made.plan), findings=(*made.findings, *ledger.findings))
        report = _proven(made, model, before if can_run else None, options)
        if not report.exit_code:
            keep()
    return report


def _proven(made: Prepared, model: Any, before: Path | None, options: Options) -> Report:
    """The verdict on the model as it now is, run from a saved copy, so that controls can be built without touching it."""
    live = import_module(formats.FORMATS["python"])
    read_back = sum(bool(s.sources) for s in made.plan.steps)
    if before is None:
        written = Written(Path(), made.plan, read_back, ())
        proof, said = prove(made.plan, made.source, made.target, written, made.findings, replace(options, verify=False))
        return judged("transfer", replace(made, findings=(*made.findings, *said)), options, proof)
    after = before.with_name("after.keras")
    live.save(model, after)
    written = Written(after, made.plan, read_back, ())
    proof, said = prove(made.plan, made.source, formats.read(before), written, made.findings, options)
    return judged("transfer", replace(made, findings=(*made.findings, *said)), options, proof)
