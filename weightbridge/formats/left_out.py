"""What a file holds beside its layers and looks like weights: a note, so that nothing is lost in silence."""

from collections.abc import Sequence

from weightbridge.errors.diagnostics import Finding, finding, listed, with_severity

SHOWN = 3
NO_LAYER = "as no layer has them"
CONSTANTS = "as they are constants of functions, and no variables"


def left_out(names: Sequence[str], why: str = NO_LAYER) -> tuple[Finding, ...]:
    """WB108 for arrays that are not read; nothing where there are none."""
    if not names:
        return ()
    message = f"arrays of numbers are left out, {why} ({len(names)}): {listed(names, SHOWN)}"
    fix = "nothing to do where they are no weights; else save the model again, so that a layer has them"
    return (with_severity(finding("WB108", message, source=names[0], fix=fix), "note"),)
