"""Questions of a plan: what is asked, in which groups, for all blocks at once.

And plans with answers, right and wrong ones.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from weightbridge.errors import PlanError
from weightbridge.plan import Plan, Step
from weightbridge.plan.file import dumps, fields_of
from weightbridge.planning.questions import answered, questions_of


def loads(text: str) -> Plan:
    return Plan(**fields_of(text))


def step(target: str, source: str, *runners: str, confidence: float = 0.8) -> Step:
    return Step(target, (source,), "copy", "bitwise", (2,), 2, confidence=confidence, runners_up=runners)


def block(n: int) -> tuple[Step, ...]:
    gate, up = f"layers.{n}.gate_proj.weight", f"layers.{n}.up_proj.weight"
    return step(f"block_{n}/gate/kernel", gate, up), step(f"block_{n}/up/kernel", up, gate)


def plan(*steps: Step) -> Plan:
    return Plan(steps, (), "s", "t", questions=questions_of(steps))


def test_layers_that_could_change_places_are_one_question_for_all_blocks() -> None:
    (question,) = questions_of((*block(0), *block(1)))
    assert question.ask == "which source belongs to block_0/gate and to block_0/up? (and so in 1 more blocks)"
    assert [c.label for c in question.choices] == ["a", "b"]
    assert question.chosen == "a"
    assert question.choices[1].sources["block_1/gate/kernel"] == ("layers.1.up_proj.weight",)


def test_kernel_and_bias_of_one_layer_are_one_matter() -> None:
    steps = (
        step("t/a/kernel", "p.w", "q.w"),
        step("t/a/bias", "p.b", "q.b"),
        step("t/b/kernel", "q.w", "p.w"),
        step("t/b/bias", "q.b", "p.b"),
    )
    (question,) = questions_of(steps)
    assert question.choices[1].sources == {
        "t/a/kernel": ("q.w",),
        "t/a/bias": ("q.b",),
        "t/b/kernel": ("p.w",),
        "t/b/bias": ("p.b",),
    }


def test_questions_with_the_same_names_but_other_choices_stay_apart() -> None:
    one_of_four = step("t1/kernel", "s1.w", "s2.w", "s3.w", "s4.w")
    two_that_change_places = step("t2/kernel", "s5.w", "s6.w"), step("t3/kernel", "s6.w", "s5.w")
    found = questions_of((one_of_four, *two_that_change_places))
    assert [len(q.choices) for q in found] == [4, 2]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((step("a/kernel", "p.w", "q.w", confidence=0.95),), id="sure enough"),
        pytest.param((step("a/kernel", "p.w", confidence=0.5),), id="no runner-up"),
        pytest.param((), id="no step"),
    ],
)
def test_nothing_is_asked_where_nothing_is_open(steps: tuple[Step, ...]) -> None:
    assert questions_of(steps) == ()


def test_many_candidates_are_asked_layer_by_layer() -> None:
    names = [f"s{n}.w" for n in range(5)]
    asked = questions_of(
        tuple(step(f"t{n}/w", names[n], *(o for o in names if o != names[n])) for n in range(4))
    )
    assert len(asked) == 1, "one template for all"
    assert len(asked[0].choices) == 5


def test_stacks_change_places_whole() -> None:
    gate, up = ("e.0.w1", "e.1.w1"), ("e.0.w3", "e.1.w3")
    steps = (
        replace(step("x/0", "e.0.w1", "e.0.w3"), sources=gate, transform="stack"),
        replace(step("x/1", "e.0.w3", "e.0.w1"), sources=up, transform="stack"),
    )
    found = questions_of(steps)
    assert all(len(names) == 2 for q in found for c in q.choices for names in c.sources.values())


def test_a_plan_with_questions_comes_back_from_its_file() -> None:
    made = plan(*block(0))
    assert loads(dumps(made)) == made


def test_an_answered_plan_is_exact() -> None:
    text = json.loads(dumps(plan(*block(0), *block(1))))
    text["questions"][0]["answer"] = "b"
    found = loads(json.dumps(text))
    assert found.questions == ()
    assert {s.target: s.sources[0] for s in found.steps}["block_1/up/kernel"] == "layers.1.gate_proj.weight"
    assert {(s.confidence, s.evidence, s.runners_up) for s in found.steps} == {(1.0, ("answer",), ())}


def test_the_answer_that_the_plan_has_already_makes_it_exact_too() -> None:
    made = plan(*block(0))
    found = answered(replace(made, questions=(replace(made.questions[0], answer="a"),)))
    assert [s.sources for s in found.steps] == [s.sources for s in made.steps]
    assert {s.confidence for s in found.steps} == {1.0}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"answer": "z"}, "'z' .* none of a, b", id="no such letter"),
        pytest.param({"choices": []}, r"questions\[0\]", id="choices are no object"),
        pytest.param({"choices": {"a": ["x"]}}, r"questions\[0\]", id="a choice is no object"),
    ],
)
def test_wrong_answers_are_refused(change: dict[str, object], what: str) -> None:
    text = json.loads(dumps(plan(*block(0))))
    text["questions"][0] |= change
    with pytest.raises(PlanError, match=what):
        loads(json.dumps(text))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    text = json.loads(dumps(plan(*block(0))))
    del text["questions"][0]["choices"]
    (tmp_path / "plan.json").write_text(json.dumps(text))
    with pytest.raises(PlanError, match=r"plan\.json.*ask, chosen, answer and choices"):
        Plan.load(tmp_path / "plan.json")
