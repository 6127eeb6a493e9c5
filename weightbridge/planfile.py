"""Plan as a JSON lockfile: diffable, editable, refused where a model has changed or an entry makes no sense."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from weightbridge.adapters import ADAPTERS
from weightbridge.axes import parse
from weightbridge.errors import PlanError, RuleError
from weightbridge.graph import LayerGraph
from weightbridge.hashing import content_hash, structure_hash
from weightbridge.plan import Contract, Kind, Plan, Step, Unused, UnusedReason
from weightbridge.textfile import write_text
from weightbridge.transforms import TRANSFORMS

VERSION = 1
MAX_BYTES = 256 << 20
MAKE_ANEW = "make a new plan with `weightbridge plan SOURCE TARGET PLAN.json`"


def dumps(plan: Plan) -> str:
    """One step a line, so that a plan can be read and compared line by line."""
    head = {
        "plan_version": VERSION,
        "source": {"structure": plan.source_structure, "sha256": plan.source_sha256},
        "target": {"structure": plan.target_structure, "sha256": plan.target_sha256},
    }
    lines = [f'  "{k}": {json.dumps(v)}' for k, v in head.items()]
    for name, rows in (("steps", plan.steps), ("unused", plan.unused)):
        inner = ",\n".join(f"    {json.dumps(asdict(row))}" for row in rows)
        lines.append(f'  "{name}": [\n{inner}\n  ]')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def save(plan: Plan, path: Path, *, overwrite: bool = False) -> None:
    write_text(path, dumps(plan), overwrite=overwrite)


def load(path: Path) -> Plan:
    """Raises PlanError for anything that is no plan, with the entry at fault."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PlanError("too large for a plan", where=str(path), fix=MAKE_ANEW)
        return loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"the plan cannot be read: {error.strerror}", where=str(path)) from error
    except (UnicodeDecodeError, RecursionError, PlanError) as error:
        raise PlanError(
            getattr(error, "message", "no plan: not UTF-8 text, or nested too deeply"), where=str(path), fix=MAKE_ANEW
        ) from error


def loads(text: str) -> Plan:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PlanError(f"no JSON: {error}") from error
    if not isinstance(data, dict) or data.get("plan_version") != VERSION:
        raise PlanError(f"plan_version is {data.get('plan_version') if isinstance(data, dict) else None!r}, expected {VERSION}")
    try:
        source, target = data["source"], data["target"]
        steps = tuple(_step(s, n) for n, s in enumerate(data["steps"]))
        unused = tuple(_unused(u, n) for n, u in enumerate(data["unused"]))
        return Plan(steps, unused, source["structure"], target["structure"], source["sha256"], target["sha256"])
    except (KeyError, TypeError) as error:
        raise PlanError(f"the entry {error} is missing or of the wrong kind") from error


def _step(data: Mapping[str, Any], n: int) -> Step:
    try:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        step = Step(**values)
        known = step.kind in get_args(Kind) and step.contract in get_args(Contract) and _is_known(step.transform)
    except (TypeError, RuleError) as error:
        raise PlanError(f"steps[{n}]: {error}") from error
    if not known or not isinstance(step.parameters, dict) or not isinstance(step.target, str):
        raise PlanError(
            f"steps[{n}] ({step.target}): unknown kind {step.kind!r}, contract {step.contract!r} or transform {step.transform!r}"
        )
    return step


def _is_known(transform: str) -> bool:
    if "->" in transform:
        parse(transform)
        return True
    return not transform or transform in TRANSFORMS or transform in ADAPTERS


def _unused(data: Mapping[str, Any], n: int) -> Unused:
    entry = Unused(**data)
    if entry.reason not in get_args(UnusedReason):
        raise PlanError(f"unused[{n}] ({entry.source}): unknown reason {entry.reason!r}")
    return entry


def with_content(plan: Plan, source: LayerGraph, target: LayerGraph) -> Plan:
    """The plan with the hashes of both models' bytes."""
    return replace(plan, source_sha256=content_hash(source), target_sha256=content_hash(target))


def checked(plan: Plan, source: LayerGraph, target: LayerGraph) -> Plan:
    """The plan, if it still is about these models and mentions every tensor. Raises PlanError that says what has changed."""
    for side, graph, structure, content in (
        ("source", source, plan.source_structure, plan.source_sha256),
        ("target", target, plan.target_structure, plan.target_sha256),
    ):
        if structure_hash(graph) != structure:
            raise PlanError(
                f"the {side} {graph.path} has changed since the plan was made: other layers, tensors or attributes", fix=MAKE_ANEW
            )
        if content is not None and content_hash(graph) != content:
            raise PlanError(f"the {side} {graph.path} has changed since the plan was made: the same structure, other bytes", fix=MAKE_ANEW)
    _complete(plan, source, target)
    return plan


def _complete(plan: Plan, source: LayerGraph, target: LayerGraph) -> None:
    """Every target tensor once, with its shape; every source that exists."""
    wanted = {t.name: t.shape for t in target.tensors}
    given = {t.name for t in source.tensors}
    named = [s.target for s in plan.steps]
    problems = [f"two steps for {n}" for n in sorted({n for n in named if named.count(n) > 1})] if len(set(named)) < len(named) else []
    problems += [f"no step for {n}" for n in wanted if n not in set(named)]
    problems += [f"a step for {s.target}, which the target does not have" for s in plan.steps if s.target not in wanted]
    problems += [
        f"{s.target}: shape {s.shape}, expected {wanted[s.target]}" for s in plan.steps if wanted.get(s.target, s.shape) != s.shape
    ]
    problems += [f"{s.target}: the source has no {n}" for s in plan.steps for n in s.sources if n not in given]
    if problems:
        raise PlanError(
            "; ".join(problems[:5]) + (f" and {len(problems) - 5} more" if len(problems) > 5 else ""), fix="mend the plan, or " + MAKE_ANEW
        )
