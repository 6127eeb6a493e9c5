"""check: match and plan; reads headers only and writes no model."""

from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.fits.fit import fitted
from weightbridge.commands.fits.fitted import with_evidence
from weightbridge.commands.stages.idle import refuse_uncarried
from weightbridge.commands.stages.prepare import prepare
from weightbridge.commands.stages.reporting import judged
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification


def check(source: Any, target: Any, options: Options) -> Report:
    """The report of the plan that a transfer would carry out."""
    refuse_uncarried(options)
    fit = fitted(prepare(source, target, options), source, target, options, is_carried_out=False)
    return judged("check", fit.prepared, options, with_evidence(Verification(), fit))
