"""A plan as a JSON lockfile: one step a line, so that it can be read, compared and edited."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightbridge.boundary.checked import strict_json
from weightbridge.errors import PlanError
from weightbridge.plan.answers import answered
from weightbridge.plan.entries import (
    VERSION,
    fit_of,
    head_of,
    question_entries,
    questions_of_file,
    steps_of,
    unused_of,
)
from weightbridge.plan.values import Fit

if TYPE_CHECKING:
    from weightbridge.plan import Plan

MAX_BYTES = 256 << 20
MAKE_ANEW = "make a new plan with `weightbridge plan SOURCE TARGET PLAN.json`"


def dumps(plan: "Plan") -> str:
    """The text of a plan's file."""
    tables = {
        "steps": [asdict(step) for step in plan.steps],
        "unused": [asdict(entry) for entry in plan.unused],
    }
    if plan.questions:
        tables = {"questions": question_entries(plan.questions), **tables}
    head = {
        "plan_version": VERSION,
        "source": {"structure": plan.source_structure, "sha256": plan.source_sha256},
        "target": {"structure": plan.target_structure, "sha256": plan.target_sha256},
    }
    parts = [f'  "{key}": {json.dumps(value)}' for key, value in head.items()]
    parts += [] if plan.fit is None else [f'  "fit": {_fit(plan.fit)}']
    parts += [f'  "{name}": {_table(entries)}' for name, entries in tables.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def checked(plan: "Plan") -> "Plan":
    """A plan that was changed in Python, as strictly read as a file. Raises PlanError."""
    try:
        return type(plan)(**fields_of(dumps(plan)))
    except (TypeError, ValueError) as error:
        raise PlanError(f"the plan holds what no plan's file can: {error}", fix=MAKE_ANEW) from error


def load_fields(path: Path) -> dict[str, Any]:
    """The fields of the plan in a file. Raises PlanError for anything that is no plan."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PlanError("too large for a plan", where=str(path), fix=MAKE_ANEW)
        return fields_of(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"the plan cannot be read: {error.strerror}"
        raise PlanError(message, where=str(path), fix="Check the path and its permissions") from error
    except (UnicodeDecodeError, RecursionError) as error:
        message = "no plan: not UTF-8 text, or nested too deeply"
        raise PlanError(message, where=str(path), fix=MAKE_ANEW) from error
    except PlanError as error:
        raise PlanError(error.message, where=str(path), fix=MAKE_ANEW) from error


def fields_of(text: str) -> dict[str, Any]:
    """The fields of the plan in a text, its answers carried out.

    Raises PlanError with the entries at fault.
    """
    try:
        data = strict_json(text)
    except ValueError as error:
        raise PlanError(f"no JSON: {error}") from error
    version = data.get("plan_version") if isinstance(data, dict) else None
    if version != VERSION:
        raise PlanError(f"plan_version is {version!r}, expected {VERSION}")
    questions = questions_of_file(data.pop("questions", []))
    fit = data.pop("fit", None)
    head = head_of(data)
    steps, unused = steps_of(head["steps"]), unused_of(head["unused"])
    steps, questions = answered(steps, questions)
    return {
        "steps": steps,
        "unused": unused,
        "questions": questions,
        "fit": None if fit is None else fit_of(fit),
        **{
            f"{side}_{key}": head[side][key]
            for side in ("source", "target")
            for key in ("structure", "sha256")
        },
    }


def _fit(fit: Fit) -> str:
    """One cut a line, to be edited."""
    entry = asdict(fit)
    cuts = _table(entry.pop("cuts")).replace("\n", "\n  ")
    fields = [f'    "{key}": {json.dumps(value)}' for key, value in entry.items()]
    return "{\n" + ",\n".join([*fields, f'    "cuts": {cuts}']) + "\n  }"


def _table(entries: list[dict[str, Any]]) -> str:
    lines = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
    return f"[\n{lines}\n  ]"
