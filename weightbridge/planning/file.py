"""Plan as a JSON lockfile: diffable, editable, refused where a model has changed or an entry makes no sense."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

from weightbridge.errors import PlanError
from weightbridge.files import write_text
from weightbridge.formats.hashing import content_hash, structure_hash
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor, dtype_of
from weightbridge.plan import Kind, Plan, Step
from weightbridge.planning.questions import answered, entries_of, questions_from
from weightbridge.transforms import is_bitwise

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
    if plan.questions:
        inner = ",\n".join(f"    {json.dumps(entry)}" for entry in entries_of(plan.questions))
        lines.insert(3, f'  "questions": [\n{inner}\n  ]')
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
        raise PlanError(
            f"the plan cannot be read: {error.strerror}",
            where=str(path),
            fix="Check the path and its permissions",
        ) from error
    except (UnicodeDecodeError, RecursionError, PlanError) as error:
        raise PlanError(
            getattr(error, "message", "no plan: not UTF-8 text, or nested too deeply"),
            where=str(path),
            fix=MAKE_ANEW,
        ) from error


def loads(text: str) -> Plan:
    """Raises PlanError that names the entries at fault."""
    from weightbridge.planning.entries import (
        head_of,
        steps_of,
        unused_of_file,
    )  # knows all adapters, which making a plan may do without

    try:
        data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except ValueError as error:
        raise PlanError(f"no JSON: {error}") from error
    if not isinstance(data, dict) or data.get("plan_version") != VERSION:
        raise PlanError(
            f"plan_version is {data.get('plan_version') if isinstance(data, dict) else None!r}, expected {VERSION}"
        )
    questions = questions_from(data.pop("questions", []))
    head = head_of(data)
    source, target = head["source"], head["target"]
    steps, unused = steps_of(head["steps"]), unused_of_file(head["unused"])
    plan = Plan(
        steps, unused, source["structure"], target["structure"], source["sha256"], target["sha256"], questions
    )
    return answered(plan)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One of two equal keys would be dropped in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def with_content(plan: Plan, source: LayerGraph, target: LayerGraph) -> Plan:
    """The plan with the hashes of both models' bytes."""
    with content_meanwhile(source, target) as with_hashes:
        return with_hashes(plan)


@contextmanager
def content_meanwhile(source: LayerGraph, target: LayerGraph) -> Iterator[Callable[[Plan], Plan]]:
    """Hashes both models' bytes side by side and beside other work, as hashing holds no lock; gives what adds
    the hashes to a plan.

    That raises what hashing found wrong, as ModelError.
    """
    with ThreadPoolExecutor(2) as pool:
        of_source, of_target = (pool.submit(content_hash, graph) for graph in (source, target))
        yield lambda plan: replace(plan, source_sha256=of_source.result(), target_sha256=of_target.result())


def checked(plan: Plan, source: LayerGraph, target: LayerGraph) -> Plan:
    """The plan, if it still is about these models, mentions every tensor and can be carried out; what follows
    from an edit is put right.

    Raises PlanError that says what has changed, or which steps are wrong.
    """
    from weightbridge.planning.entries import listed
    from weightbridge.planning.rehearsal import rehearse

    _same_models(plan, source, target)
    given, wanted = source.tensor_by_name, target.tensor_by_name
    problems = [*_incomplete(plan, wanted), *_unknown(plan, source, given)] or [
        *rehearse(plan, given, wanted)
    ]
    if problems:
        raise PlanError(listed(problems), fix="mend the plan, or " + MAKE_ANEW)
    return replace(plan, steps=tuple(_settled(step, given, wanted[step.target]) for step in plan.steps))


def _same_models(plan: Plan, source: LayerGraph, target: LayerGraph) -> None:
    for side, graph, structure, content in (
        ("source", source, plan.source_structure, plan.source_sha256),
        ("target", target, plan.target_structure, plan.target_sha256),
    ):
        if structure_hash(graph) != structure:
            raise PlanError(
                f"the {side} {graph.path} has changed since the plan was made: other layers, tensors or attributes",
                fix=MAKE_ANEW,
            )
        if content is not None and content_hash(graph) != content:
            raise PlanError(
                f"the {side} {graph.path} has changed since the plan was made: the same structure, other bytes",
                fix=MAKE_ANEW,
            )


def _incomplete(plan: Plan, wanted: Mapping[str, Tensor]) -> Iterator[str]:
    """Every target tensor once, with its shape."""
    named = Counter(step.target for step in plan.steps)
    yield from (f"{count} steps for {name}" for name, count in named.items() if count > 1)
    yield from (f"no step for {name}" for name in wanted if name not in named)
    yield from (f"a step for {name}, which the target does not have" for name in named if name not in wanted)
    for step in plan.steps:
        if step.target in wanted and wanted[step.target].shape != step.shape:
            yield f"{step.target}: shape {step.shape}, expected {wanted[step.target].shape}"


def _unknown(plan: Plan, source: LayerGraph, given: Mapping[str, Tensor]) -> Iterator[str]:
    """Names that the source does not have."""
    stored = given.keys() | {one.name for one in source.excluded}
    yield from (
        f"{step.target}: the source has no {name}"
        for step in plan.steps
        for name in step.sources
        if name not in given
    )
    yield from (
        f"unused: the source has no {entry.source}" for entry in plan.unused if entry.source not in stored
    )


def _settled(step: Step, given: Mapping[str, Tensor], target: Tensor) -> Step:
    """What follows from the kind and the dtypes, so that an edit of one word is enough: `fresh` and `keep`
    read nothing.
    """
    if step.kind in ("fresh", "keep"):
        kept = Step(
            step.target,
            (),
            step.kind,
            "fresh" if step.kind == "fresh" else "untouched",
            step.shape,
            step.size,
        )
        return replace(kept, runners_up=step.runners_up)
    others = {given[name].dtype for name in step.sources} - {target.dtype}
    is_claimed = step.contract not in ("fresh", "untouched", "bitwise")
    if is_claimed or not is_bitwise(step.transform, step.parameters):
        return step if is_claimed else replace(step, contract="lossy")
    widened = all(dtype_of(dtype).itemsize < dtype_of(target.dtype).itemsize for dtype in others)
    kind: Kind = "transform" if others or step.transform else "copy"
    return replace(
        step, kind=kind, contract="bitwise" if not others else "preserving" if widened else "lossy"
    )
