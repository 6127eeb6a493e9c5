"""One sentence for a verdict: what it rests on, first of all."""

from collections.abc import Callable, Sequence

from weightbridge.report.digest.depth import depth
from weightbridge.report.digest.proof import in_vain
from weightbridge.report.digest.questions import questions
from weightbridge.report.digest.unmatched import unmatched
from weightbridge.report.digest.values import Json, LedgerRow
from weightbridge.report.words import counted, percent

Ledger = Sequence[LedgerRow]
LONGEST = 300  # of a message in a sentence
COMPARED = ("WB401", "WB402")
NOT_WRITTEN, UNREADABLE = "WB906", 4  # a code, and an exit code
TWO_MODELS = ("check", "plan", "transfer", "verify", "stitch")


def why(report: Json, rows: Ledger) -> str:
    """The first of the reasons that holds, by the verdict."""
    sentences = (reason(report, rows) for reason in REASONS[report["verdict"]])
    return next((sentence for sentence in sentences if sentence), "Nothing is wrong.")


def _sentence(text: str) -> str:
    """A message as a sentence: its first part, with a capital letter and a full stop."""
    first = text.split("; ", maxsplit=1)[0]
    if len(first) > LONGEST:
        first = f"{first[: LONGEST - 3]}..."
    if not first:
        return ""
    word = first.split(" ", 1)[0]
    is_word = word.isalpha() and word.islower()
    return f"{first[0].upper() if is_word else first[0]}{first[1:]}".rstrip(".") + "."


def _first_error(report: Json, _: Ledger) -> str:
    errors = [found for found in report["findings"] if found["severity"] == "error"]
    return _sentence(errors[0]["message"]) if errors else ""


def _not_begun(report: Json, _: Ledger) -> str:
    """Which model cannot be read, or that it cannot be written; the finding says why."""
    found = next(iter(report["findings"]), None)
    if found is None or report["source"] or report["target"]:
        return ""
    if found["code"] == NOT_WRITTEN:
        return "What was asked for cannot be written."
    side = "target" if found["target"] else "source"
    which = side if report["command"] in TWO_MODELS else "model"
    return f"The {which} cannot be read." if report.get("exit_code") == UNREADABLE else ""


def _unread(report: Json, _: Ledger) -> str:
    found = next(iter(report["findings"]), None)
    said = found["message"] if found else report.get("refused", "")
    return _sentence(said) or "It could not be done."


def _differs(report: Json, _: Ledger) -> str:
    """Where the layers begin to differ."""
    found = depth(report)
    if found is None or not _has(report, COMPARED):
        return ""
    before = "; all before it are equal" if found.place > 1 else ""
    place = f"{found.place:,} of {found.layers:,} by depth"
    return f"The first layer that differs is {found.first.first}, {place}{before}."


def _no_source(report: Json, _: Ledger) -> str:
    layers = unmatched(report)
    steps = [step for mine in layers.values() for step in mine]
    parameters = report["coverage"]["parameters"]
    if not steps or not parameters or _codes(report, "error") - {"WB202"}:
        return ""
    share = percent(sum(step["size"] for step in steps) / parameters)
    where = f"in {counted(len(layers), 'layer')}"
    gets = "gets" if len(steps) == 1 else "get"
    return f"{counted(len(steps), 'target tensor')} {where} {gets} no source ({share} of the parameters)."


def _another(report: Json, _: Ledger) -> str:
    if not _has(report, ("WB309",)):
        return ""
    coverage = report["coverage"]
    exact, parameters = coverage["copied"] + coverage["transformed"], coverage["parameters"]
    share = percent(exact / parameters) if parameters else "0.00 %"
    return f"The source is another architecture: {share} of the target's parameters fit exactly."


def _warnings_count(report: Json, rows: Ledger) -> str:
    """A failure without an error: warnings were asked to fail."""
    warnings = sum(found["severity"] == "warning" for found in report["findings"])
    return f"{counted(warnings, 'warning')}, and --fail-on warning. {_warned(report, rows)}".strip()


def _adapted(report: Json, rows: Ledger) -> str:
    row = next((row for row in rows if row.share == "adapted"), None)
    if row is None:
        return ""
    share = percent(row.fraction)
    if any("stage" in step["evidence"] for step in report["steps"]):
        return (
            f"A starting point, no equal model: {share} of the target is adapted from another architecture."
        )
    if row.meaning == "lossy":
        are = "is" if row.tensors == 1 else "are"
        some = f"{row.tensors:,} of {counted(row.of_tensors, 'target tensor')} {are} adapted"
        return f"No equal model: {some} ({share} of the parameters)."
    return ""


def _asking(report: Json, rows: Ledger) -> str:
    asked = len(questions(report))
    if not asked:
        return ""
    rest = "1 choice rests" if asked == 1 else f"{asked:,} choices rest"
    return f"{_filled(rows)}, but {rest} on names or order alone."


def _left_over(report: Json, rows: Ledger) -> str:
    if any(one["code"] == "WB203" for one in report.get("accepted", ())):
        return ""
    left = sum(entry["reason"] == "unexplained" for entry in report["unused"])
    if not left or not _has(report, ("WB203",)) or report["command"] == "verify":
        return ""
    has = "has" if left == 1 else "have"
    return f"{_filled(rows)}; {counted(left, 'source tensor')} {has} no place."


def _warned(report: Json, rows: Ledger) -> str:
    """By the code of the first warning."""
    reasons = (_adapted, _asking, _left_over)
    said = next((text for reason in reasons if (text := reason(report, rows))), "")
    first = next((one for one in report["findings"] if one["severity"] == "warning"), None)
    if said or first is None:
        return said or _passed(report, rows)
    codes = sorted(_codes(report, "warning"))
    return f"{_passed(report, rows).rstrip('.')}, with {', '.join(codes)} to look at ({first['name']})."


def _passed(report: Json, rows: Ledger) -> str:
    layers = report["verification"]["layers"]
    proof = _equal_outputs(report["verification"]["outputs"])
    if report["command"] == "verify":
        depth_too = f", and so are {counted(len(layers), 'layer')}" if layers and _are_equal(layers) else ""
        return f"{proof or 'The layers that were compared are equal'}{depth_too}."
    if not rows:
        return _whole(report)
    return f"{_filled(rows)}; {proof}." if proof else f"{_filled(rows)}."


def _equal_outputs(outputs: Sequence[Json]) -> str:
    """`6 of 7 comparisons of outputs are equal (1 proves nothing)`; nothing where none was compared."""
    statuses = [record.get("status") for record in outputs]
    if "equal" not in statuses and "differs" not in statuses:
        return ""
    vain, are = in_vain(outputs), "is" if len(outputs) == 1 else "are"
    number = f"{statuses.count('equal'):,} of {counted(len(outputs), 'comparison')} of outputs {are} equal"
    return f"{number} ({vain})" if vain else number


def _are_equal(records: Sequence[Json]) -> bool:
    return all(record.get("status") == "equal" for record in records)


def _whole(report: Json) -> str:
    """Of a command that has one model, or wrote a part of it."""
    model = report["target"] or report["source"]
    if not model:
        return "Nothing is wrong."
    return f"{counted(model['layers'], 'layer')} with {counted(model['tensors'], 'tensor')} were read."


def _filled(rows: Ledger) -> str:
    """`All 17 target tensors have an exact source`."""
    exact = sum(row.tensors for row in rows if row.share == "exact")
    total = rows[0].of_tensors if rows else 0
    if exact == total:
        only = "The one target tensor has" if total == 1 else f"All {total:,} target tensors have"
        return f"{only} an exact source"
    rest = ", ".join(f"{row.tensors:,} {WORDS[row.share]}" for row in rows if row.share != "exact")
    return f"{exact:,} of {counted(total, 'target tensor')} have an exact source; {rest}"


def _has(report: Json, codes: Sequence[str]) -> bool:
    return any(found["code"] in codes for found in report["findings"])


def _codes(report: Json, severity: str) -> set[str]:
    return {found["code"] for found in report["findings"] if found["severity"] == severity}


WORDS = {"adapted": "are adapted", "fresh": "start fresh", "kept": "keep the target's own value"}
REASONS: dict[str, tuple[Callable[[Json, Ledger], str], ...]] = {
    "error": (_not_begun, _unread),
    "fail": (_another, _differs, _no_source, _first_error, _warnings_count),
    "vacuous": (_first_error, _unread),
    "inconclusive": (_first_error, _unread),
    "warn": (_warned,),
    "pass": (_passed,),
}
