"""`--disambiguate`: where names cannot tell and both sides run, the candidate that verifies is kept."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.errors import ModelError, RunError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan, Question
from weightbridge.planning.ambiguities import asked
from weightbridge.planning.questions import answered, layer_of
from weightbridge.transfer.execute import Ledger, values
from weightbridge.verify import Setup, equality, seed_of

WORST = float("inf")
NUMBERS = ("numbers",)
ROUNDS = 2  # over all questions: the second sees the answers of the first


def disambiguated(
    plan: Plan, model: Any, source: LayerGraph, target: LayerGraph, options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan with the answers whose outputs are the source's, and what the trial showed.

    WB204 where it showed nothing. model: the source as the user gave it, which is run. The target is run from
    a copy of its file.
    """
    if not plan.questions:
        return plan, ()
    try:
        reference = formats.runner(model, arguments=options.source_arguments)
        with TemporaryDirectory(prefix="weightbridge-") as folder:
            trial = _Trial(reference, source, target, Path(folder), options)
            return trial.decided(plan)
    except (RunError, ModelError) as error:
        reason = f"--disambiguate: the candidates cannot be tried: {error.message}"
        return plan, (
            finding(
                "WB204",
                reason,
                source=error.where,
                fix="give the source in a format that runs, or answer in the plan file",
            ),
        )


class _Trial:
    """A source that runs, and a folder for the candidates: one is there at a time."""

    def __init__(
        self, reference: Runner, source: LayerGraph, target: LayerGraph, folder: Path, options: Options
    ) -> None:
        self._reference, self._source, self._target, self._options = reference, source, target, options
        self._path = folder / f"candidate{''.join(Path(target.path).suffixes[-1:])}"
        self._setup = Setup(
            seed=seed_of(source.structure, target.structure),
            evidence="quick",
            samples=options.probe,
        )
        self._known: dict[tuple[tuple[str, str], ...], float] = {}

    def decided(self, plan: Plan) -> tuple[Plan, tuple[Finding, ...]]:
        """Question by question the nearest answer, until nothing changes.

        Exact only if the whole then equals the source.
        """
        chosen = {q.ask: q.chosen for q in plan.questions}
        for _ in range(ROUNDS):
            before = dict(chosen)
            for question in plan.questions:
                chosen[question.ask] = self._nearest(plan, question, chosen)
            if chosen == before:
                break
        if self._distance(plan, chosen) > 1:
            said = "--disambiguate: no combination of the candidates gives the source's outputs"
            said = f"{said}; nothing was decided"
            return plan, (finding("WB204", said, fix="answer the questions in the plan file"),)
        return self._with(plan, chosen)

    def _nearest(self, plan: Plan, question: Question, chosen: dict[str, str]) -> str:
        """The answer whose outputs are nearest to the source's; the first of equals."""
        distances = {
            c.label: self._distance(plan, {**chosen, question.ask: c.label}) for c in question.choices
        }
        return min(distances, key=distances.__getitem__)

    def _with(self, plan: Plan, chosen: dict[str, str]) -> tuple[Plan, tuple[Finding, ...]]:
        open_asks = [q.ask for q in plan.questions if self._is_tied(plan, q, chosen)]
        settled = tuple(
            replace(q, answer=chosen[q.ask]) if q.ask not in open_asks else q for q in plan.questions
        )
        found = answered(replace(plan, questions=settled))
        steps = tuple(replace(s, evidence=NUMBERS) if s.evidence == ("answer",) else s for s in found.steps)
        tied = tuple(
            finding("WB204", f"--disambiguate: {ask} More than one answer gives the source's outputs")
            for ask in open_asks
        )
        return replace(found, steps=steps), tied

    def _is_tied(self, plan: Plan, question: Question, chosen: dict[str, str]) -> bool:
        labels = (choice.label for choice in question.choices)
        others = ({**chosen, question.ask: label} for label in labels if label != chosen[question.ask])
        return any(self._distance(plan, answers) <= 1 for answers in others)

    def _distance(self, plan: Plan, chosen: dict[str, str]) -> float:
        """The largest ratio of any output to what is allowed; infinite where it cannot run.

        1 and less where all are equal.
        """
        key = tuple(sorted(chosen.items()))
        if key not in self._known:
            tried = replace(plan, questions=tuple(replace(q, answer=chosen[q.ask]) for q in plan.questions))
            self._known[key] = self._measured(answered(tried))
        return self._known[key]

    def _measured(self, plan: Plan) -> float:
        pairs = values(plan, self._source, self._target, Ledger())
        formats.write(self._target, self._path, pairs)
        candidate = formats.runner(self._path)
        verification, _ = equality(self._reference, candidate, self._setup)
        return max(map(_excess, verification.outputs), default=WORST)


def _excess(output: Any) -> float:
    ratio, limit = output.get("ratio"), output.get("limit")
    if ratio is None or not limit:
        return WORST
    return float(ratio) / float(limit)


def as_map(plan: Plan) -> tuple[tuple[str, str], ...]:
    """What the numbers decided, as a user would say it with --map.

    Matching again then tells what follows from it.
    """
    decided = [step for step in plan.steps if step.evidence == NUMBERS and len(step.sources) == 1]
    pairs = ((layer_of(step.sources[0]), layer_of(step.target)) for step in decided)
    return tuple(dict.fromkeys(pairs))


def without_decided(findings: Iterable[Finding], before: Plan, decided: Plan) -> tuple[Finding, ...]:
    """The findings, with the questions of WB204 that numbers have not decided."""
    moot = frozenset(asked(before.questions, {step.target: step for step in before.steps}))
    left = asked(decided.questions, {step.target: step for step in decided.steps})
    return (*(found for found in findings if found not in moot), *left)
