"""Options that cannot do anything beside others: refused, for none is dropped in silence."""

from weightbridge.boundary.options import Options
from weightbridge.errors import UsageError
from weightbridge.plan import Plan


def is_fitting(options: Options) -> bool:
    """Whether values are fitted, as far as options tell: a plan may say so as well."""
    if options.plan is None:
        return options.adapt == "fit"
    plan = options.plan if isinstance(options.plan, Plan) else Plan.load(options.plan)
    return plan.fit is not None


def refuse_beside_plan(options: Options) -> None:
    """Raises UsageError for what only a new plan can follow."""
    asked = {
        "--map": options.map,
        "--adapt": "adapt" in options.explicit,
        "--map-words": options.map_words,
        "--depth": options.depth != "identity",
        "--disambiguate": options.disambiguate,
    }
    given = [name for name, value in asked.items() if value]
    if given:
        message = f"{' and '.join(given)} cannot change a plan that is there already (--plan)"
        raise UsageError(message, fix="edit the plan itself, or make a new one: leave out --plan")


def refuse_uncarried(options: Options) -> None:
    """Raises UsageError for inputs that only a transfer runs."""
    if options.calibrate is not None and not is_fitting(options):
        message = "--calibrate is for what is written, and this writes no model"
        raise UsageError(message, fix="leave out --calibrate, and give it to weightbridge transfer")


def refuse_unrun(options: Options) -> None:
    """Raises UsageError for what says how to run models that --no-verify does not run."""
    asked = {"--probe": options.probe is not None, "--evidence": "evidence" in options.explicit}
    given = [name for name, value in asked.items() if value and not options.verify]
    if given:
        message = f"{' and '.join(given)}: with --no-verify no model is run"
        raise UsageError(message, fix="leave out --no-verify, or what says how to run")


def refuse_in_place(options: Options) -> None:
    """Raises UsageError for what goes with a file that is written."""
    if options.overwrite:
        message = "overwrite=True goes with an output, and without one the live model takes the values"
        raise UsageError(message, fix="leave it out, or give output=PATH")
