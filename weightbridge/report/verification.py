"""What was compared and how strong that evidence is, as lines and tables that text and Markdown share."""

from collections.abc import Mapping
from typing import Any

from weightbridge.report.sections import Json, Table, compared, said


def verification_lines(verification: Json) -> tuple[str, ...]:
    """The mode, then every piece of evidence in words; one line where nothing was run."""
    outputs, layers, evidence = verification["outputs"], verification["layers"], verification["evidence"]
    if verification["mode"] == "none" and not evidence:
        return ()
    head = f"verification ({verification['mode']}): {len(outputs):,} comparisons of outputs, {len(layers):,} of layers"
    return (head, *(f"  {key.replace('_', ' ')}: {_evidence(value)}" for key, value in evidence.items()))


def verification_tables(verification: Json) -> tuple[Table, ...]:
    return compared("Outputs compared", verification["outputs"]), compared("Layers compared", verification["layers"])


def _evidence(value: Any) -> str:
    """Lists of records (the controls) one after another, all else as it is."""
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        return " | ".join(said(one) for one in value)
    return said(value)
