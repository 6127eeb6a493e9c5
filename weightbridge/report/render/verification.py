"""What was compared and how strong that evidence is, in sentences and tables.

Text and Markdown share them; all details are in the JSON.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.render.sections import Json, Table, compared, said

PASSED = "equal"
WORDS = {"differs": "differ"}
TOLD = ("out_of_domain", "constant")  # said where there is something in them
QUIET = frozenset({PASSED, "zero-energy", None})  # what needs no row of its own


def verification_lines(verification: Json) -> tuple[str, ...]:
    """What was done and found, then what makes it strong or weak.

    Nothing where nothing was run and nothing is to be said.
    """
    evidence = verification["evidence"]
    if verification["mode"] == "none" and not evidence:
        return ()
    return (
        f"verification ({verification['mode']}): {_summary(verification)}",
        *(f"  {line}" for line in _details(evidence)),
    )


def verification_tables(verification: Json) -> tuple[Table, ...]:
    """Outputs and layers, where one of them differs; what is equal throughout is told in a line."""
    return tuple(
        compared(title, records if any(r.get("status") not in QUIET for r in records) else ())
        for title, records in (
            ("Outputs compared", verification["outputs"]),
            ("Layers compared", verification["layers"]),
        )
    )


def _summary(verification: Json) -> str:
    outputs, layers, evidence = verification["outputs"], verification["layers"], verification["evidence"]
    parts = [f"{len(outputs):,} comparisons of outputs{_judged(outputs)}"] if outputs else []
    parts += [f"{len(layers):,} of layers{_judged(layers)}"] if layers else []
    parts += (
        [f"{said(evidence['read_back'])} tensors read back bit by bit"] if "read_back" in evidence else []
    )
    return "; ".join(parts) or "nothing compared"


def _judged(records: Sequence[Json]) -> str:
    """How many came out how, and how much of what is allowed the worst of them took."""
    counts = Counter(record["status"] for record in records if "status" in record)
    told = ", ".join(f"{n:,} {WORDS.get(status, said(status))}" for status, n in counts.items())
    shares = [
        (record["ratio"], record["limit"])
        for record in records
        if record.get("ratio") is not None and record.get("limit")
    ]
    ratio, limit = max(shares, key=lambda pair: pair[0] / pair[1], default=(0.0, 0.0))
    shown = f"{ratio:.2f}" if ratio < limit else f"{ratio:.3g}"
    worst = f"; the worst at {shown} times the noise floor, {limit:.2f} allowed" if limit else ""
    return f" ({told}{worst})" if told else ""


def _control(one: Any) -> str:
    return f"{said(one.get('name'))} {said(one.get('result'))}" if isinstance(one, Mapping) else said(one)


def _details(evidence: Mapping[str, Any]) -> Iterator[str]:
    if evidence.get("claim") not in (None, PASSED):
        yield f"not claimed to be equal: {said(evidence['claim'])}"
    if "reason" in evidence:
        yield f"no model was run: {said(evidence['reason'])}"
    if "floor" in evidence:
        yield f"tolerance: the noise floor, {said(evidence['floor'])}"
    if evidence.get("controls"):
        results = dict.fromkeys(map(_control, evidence["controls"]))
        yield f"controls that must fail: {', '.join(results)}"
    if evidence.get("layout") not in (None, "same"):
        yield f"layout: {said(evidence['layout'])}"
    for key in TOLD:
        if evidence.get(key):
            yield f"{key.replace('_', ' ')}: {said(evidence[key])}"
    for reason in evidence.get("inconclusive") or ():
        yield f"inconclusive: {said(reason)}"
