"""--adapt fit, where it is asked for; the fitting itself is imported for it alone."""

from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.fits.fitted import Fitted
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.errors import UsageError
from weightbridge.plan import Plan


def fitted(
    prepared: Prepared, source: Any, target: Any, options: Options, *, is_carried_out: bool = True
) -> Fitted:
    """What a fit makes of a plan of exact steps, or of a stored plan that has a fit; else as it is.

    source, target: the models as the user gave them; neither is changed.
    """
    if not _is_asked(prepared.plan, options):
        return Fitted(prepared)
    _refuse_without_inputs(prepared.plan, options)
    # the solvers, and thirty modules that every other check and transfer can do without
    from weightbridge.commands.fits.fitting import fitting

    return fitting(prepared, source, target, options, is_carried_out=is_carried_out)


def _is_asked(plan: Plan, options: Options) -> bool:
    return plan.fit is not None if options.plan is not None else options.adapt == "fit"


def _refuse_without_inputs(plan: Plan, options: Options) -> None:
    if options.calibrate is None:
        what = (
            "the plan has fitted steps, whose values need inputs" if plan.fit else "--adapt fit needs inputs"
        )
        raise UsageError(what, fix="say --calibrate D.npz, with inputs `x`, batch first")
