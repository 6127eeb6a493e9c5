"""WB109 where scales are known: the floats of quantised values are computed, and that is said."""

from weightbridge.errors.diagnostics import Finding, finding, with_severity

WANTED = "say --dequantize if these floats are wanted, or give the model as it was before it was quantised"


def applied(message: str, source: str) -> Finding:
    """A warning: the values are those that the quantised model computes with."""
    return with_severity(finding("WB109", message, source=source, fix=WANTED), "warning")
