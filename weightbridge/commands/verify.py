"""verify: run both models on the same probes, and compare outputs and matched layers."""

from dataclasses import replace
from typing import Any

from weightbridge.commands.prepare import prepare
from weightbridge.commands.prove import prove_pair
from weightbridge.commands.reading import said_when_run
from weightbridge.commands.reporting import judged
from weightbridge.options import Options
from weightbridge.planning.hashes import with_content
from weightbridge.report.values import Report
from weightbridge.transfer.execute import non_finite


def verify(a: Any, b: Any, options: Options) -> Report:
    """The outputs decide; matching only says what to compare."""
    prepared = prepare(a, b, replace(options, plan=None))
    source, target = prepared.source, prepared.target
    plan = with_content(prepared.plan, source, target)
    verification, said = prove_pair(source, target, a, b, plan, options)
    values = (*non_finite(source, "source"), *non_finite(target, "target"))
    findings = (*said_when_run(source, prepared.findings), *values, *said)
    return judged("verify", replace(prepared, plan=plan, findings=findings), options, verification)
