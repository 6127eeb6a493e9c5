"""Answers to a plan's questions, carried out."""

from collections.abc import Iterable
from dataclasses import replace

from weightbridge.errors import PlanError
from weightbridge.plan.values import Question, Step

Names = tuple[str, ...]


def answered(
    steps: Iterable[Step], questions: Iterable[Question]
) -> tuple[tuple[Step, ...], tuple[Question, ...]]:
    """The steps with the answers carried out, which makes them sure, and the open questions.

    Raises PlanError for an answer that is no choice of its question.
    """
    asked = tuple(questions)
    chosen: dict[str, Names] = {}
    for question in asked:
        if question.answer:
            chosen |= _sources_of_answer(question)
    decided = tuple(_decided(step, chosen[step.target]) if step.target in chosen else step for step in steps)
    return decided, tuple(question for question in asked if not question.answer)


def _sources_of_answer(question: Question) -> dict[str, Names]:
    choice = next((c for c in question.choices if c.label == question.answer), None)
    if choice is None:
        labels = ", ".join(c.label for c in question.choices)
        message = f"the answer {question.answer!r} to {question.ask!r} is none of {labels}"
        raise PlanError(message, fix="answer with one of them")
    return dict(choice.sources)


def _decided(step: Step, sources: Names) -> Step:
    return replace(step, sources=sources, confidence=1.0, evidence=("answer",), runners_up=())
