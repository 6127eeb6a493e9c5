"""What adapters propose, decided from shapes alone.

Channel groups, widths, taps, stems, heads, depth, and what they leave alone.
"""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, source
from network_files import Config, conv, dense, residual, wired, write

import weightbridge as wb
from weightbridge.adapters.propose.across.stages import convolutions
from weightbridge.adapters.propose.groups import channel_groups
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Plan, Step

JOINED = {"left": ("stem",), "right": ("stem",), "joined": ("left", "right")}


def concatenated(*after: Config, left: int = 6, right: int = 2) -> Config:
    branches = (source("x", [8, 8, 3]), conv("stem", 4), conv("left", left, 1), conv("right", right))
    return wired(*branches, layer("Concatenate", "joined", axis=-1), *after, **JOINED)


def planned(folder: Path, before: Config, after: Config, **options: Any) -> tuple[wb.Report, Plan]:
    report = wb.check(write(folder, "source", before), write(folder, "target", after), **options)
    assert report.plan is not None
    assert [s.target for s in report.plan.steps] == [t.name for t in wb.read(folder / "target.json").tensors]
    used = {name for s in report.plan.steps for name in s.sources} | {u.source for u in report.plan.unused}
    assert used == {t.name for t in wb.read(folder / "source.json").tensors}
    return report, report.plan


def steps_of(plan: Plan) -> dict[str, Step]:
    return {step.target: step for step in plan.steps}


def codes(report: wb.Report) -> set[str]:
    return {f.code for f in report.findings} - {
        "WB105"
    }  # a JSON has no weights, which is what these tests want


def test_a_residual_sum_makes_one_group_of_all_that_it_adds(tmp_path: Path) -> None:
    groups = channel_groups(wb.read(write(tmp_path, "net", residual(blocks=2))))
    assert (
        len(
            {
                groups.written[name]
                for name in ("stem_conv", "block0_b_conv", "block1_b_conv", "block1_out", "pool")
            }
        )
        == 1
    )
    assert groups.written["block0_a_conv"] != groups.written["stem_conv"]


def test_a_concatenation_lists_its_groups_in_order(tmp_path: Path) -> None:
    groups = channel_groups(wb.read(write(tmp_path, "net", concatenated(conv("after", 5)))))
    assert groups.read["after"].parts == (*groups.written["left"].parts, *groups.written["right"].parts)
    assert [groups.sizes[g] for g in groups.read["after"].parts] == [6, 2]


def test_a_flatten_repeats_its_channels_for_every_place(tmp_path: Path) -> None:
    groups = channel_groups(
        wb.read(write(tmp_path, "net", concatenated(layer("Flatten", "flat"), dense("head", 3))))
    )
    assert groups.read["head"].outer == 64
    assert groups.length(groups.read["head"]) == 64 * 8


def test_a_depthwise_convolution_writes_the_group_that_it_reads(tmp_path: Path) -> None:
    depthwise = layer(
        "DepthwiseConv2D", "deep", kernel_size=[3, 3], strides=[1, 1], padding="same", depth_multiplier=1
    )
    groups = channel_groups(wb.read(write(tmp_path, "net", concatenated(depthwise, conv("after", 5)))))
    assert groups.read["deep"] == groups.written["deep"] == groups.read["after"]


MARKED = {
    "softmax-mixes-channels": (layer("Softmax", "mark"), "rigid"),
    "layer-norm-averages-over-them": (layer("LayerNormalization", "mark", axis=[-1]), "even"),
}


@pytest.mark.parametrize(("mark", "kind"), MARKED.values(), ids=MARKED.keys())
def test_groups_that_something_looks_at_together_are_marked(tmp_path: Path, mark: Config, kind: str) -> None:
    net = wired(source("x", [8, 8, 3]), conv("a", 4), mark, conv("b", 4))
    groups = channel_groups(wb.read(write(tmp_path, "net", net)))
    assert set(groups.written["a"].parts) <= getattr(groups, kind)
    assert set(groups.written["b"].parts).isdisjoint(getattr(groups, kind))


KEEPS = {
    "wider": (residual(8), residual(12)),
    "twice-as-wide": (residual(8), residual(16)),
    "larger-kernels": (residual(taps=3), residual(taps=5)),
    "wider-and-larger-kernels": (residual(8, taps=3), residual(20, taps=7)),
    "deeper": (residual(blocks=1), residual(blocks=3)),
    "wider-behind-a-concatenation": (
        concatenated(conv("after", 4)),
        concatenated(conv("after", 4), left=9, right=5),
    ),
    "wider-behind-a-flatten": (
        concatenated(layer("Flatten", "flat"), dense("head", 3)),
        concatenated(layer("Flatten", "flat"), dense("head", 3), left=9, right=5),
    ),
}


@pytest.mark.parametrize(("before", "after"), KEEPS.values(), ids=KEEPS.keys())
def test_what_keeps_the_function_is_called_preserving(tmp_path: Path, before: Config, after: Config) -> None:
    report, plan = planned(tmp_path, before, after)
    assert {s.contract for s in plan.steps} <= {"bitwise", "preserving"}
    assert all(s.energy_kept == 1.0 for s in plan.steps)
    assert codes(report) == set()


LOSES = {
    "narrower": (residual(16), residual(12), "16 -> 12 channels"),
    "smaller-kernels": (residual(taps=5), residual(taps=3), "5 -> 3 taps"),
    "fewer-channels-in": (residual(channels=4), residual(channels=2), "4 -> 2 input channels"),
}


@pytest.mark.parametrize(("before", "after", "cost"), LOSES.values(), ids=LOSES.keys())
def test_what_loses_something_is_called_lossy_with_its_cost(
    tmp_path: Path, before: Config, after: Config, cost: str
) -> None:
    report, plan = planned(tmp_path, before, after)
    lossy = [s for s in plan.steps if s.contract == "lossy"]
    assert any(cost in s.cost for s in lossy)
    assert {s.energy_kept for s in lossy} == {None}  # not known before values are read
    assert codes(report) & {"WB302", "WB304"}


STEMS = {
    "colour-to-grey": (3, 1, {"rule": "sum", "from": 3, "to": 1}),
    "grey-to-colour": (1, 3, {"rule": "tile", "from": 1, "to": 3}),
    "three-to-six": (3, 6, {"rule": "tile", "from": 3, "to": 6}),
}


@pytest.mark.parametrize(("before", "after", "rule"), STEMS.values(), ids=STEMS.keys())
def test_input_channels_are_adapted_and_said(
    tmp_path: Path, before: int, after: int, rule: dict[str, Any]
) -> None:
    report, plan = planned(tmp_path, residual(channels=before), residual(channels=after))
    assert steps_of(plan)["stem_conv/kernel"].parameters["axes"]["2"] == rule
    assert "WB304" in codes(report)
    assert {s.contract for s in plan.steps if not s.target.startswith("stem_conv")} == {"bitwise"}


@pytest.mark.parametrize(
    ("before", "after"), [(10, 7), (10, 11), (3, 1000)], ids=["fewer", "background-class", "many"]
)
def test_a_head_of_other_classes_is_left_fresh_and_never_cropped(
    tmp_path: Path, before: int, after: int
) -> None:
    report, plan = planned(tmp_path, residual(classes=before), residual(classes=after))
    found = steps_of(plan)
    assert {found["head/kernel"].kind, found["head/bias"].kind} == {"fresh"}
    assert {s.contract for s in plan.steps if not s.target.startswith("head/")} == {"bitwise"}
    assert "WB303" in codes(report)


def test_a_declared_head_is_no_finding(tmp_path: Path) -> None:
    report, _ = planned(tmp_path, residual(), residual(), fresh="head/*", unused="head/*")
    assert codes(report) == set()


def test_a_head_of_the_same_classes_shares_out_wider_features(tmp_path: Path) -> None:
    _, plan = planned(tmp_path, residual(8), residual(16))
    assert steps_of(plan)["head/kernel"].parameters["axes"] == {
        "0": {"rule": "share", "from": (8,), "to": (16,)}
    }
    assert steps_of(plan)["head/bias"].contract == "bitwise"


def test_an_added_residual_branch_adds_zero_and_can_still_learn(tmp_path: Path) -> None:
    _, plan = planned(tmp_path, residual(blocks=1), residual(blocks=2))
    found = steps_of(plan)
    assert found["block1_b_bn/gamma"].parameters == found["block1_b_bn/beta"].parameters == {"value": 0.0}
    assert found["block1_a_conv/kernel"].sources == ("block0_a_conv/kernel",)


def test_a_branch_is_not_silenced_where_what_follows_changes_its_sum(tmp_path: Path) -> None:
    """tanh(tanh(x)) is not tanh(x): no zero makes the added block an identity."""
    report, plan = planned(
        tmp_path, residual(blocks=1, activation="tanh"), residual(blocks=2, activation="tanh")
    )
    added = [s for s in plan.steps if s.target.startswith("block1")]
    assert {s.contract for s in added} == {"fresh"}
    assert "WB202" in codes(report)


def test_without_adapters_other_shapes_are_errors(tmp_path: Path) -> None:
    report, plan = planned(tmp_path, residual(8), residual(12), adapt="none")
    assert {s.kind for s in plan.steps} <= {"copy", "fresh"}
    assert "WB201" in codes(report)


def test_a_group_that_layer_norm_averages_keeps_its_function_in_whole_multiples_only(tmp_path: Path) -> None:
    def net(width: int) -> Config:
        norm = layer("LayerNormalization", "norm", axis=[-1])
        return wired(source("x", [6]), dense("a", width), norm, dense("b", 5))

    _, whole = planned(tmp_path, net(4), net(8))
    _, odd = planned(tmp_path, net(4), net(6))
    assert {s.contract for s in whole.steps} <= {"bitwise", "preserving"}
    assert "lossy" in {s.contract for s in odd.steps}


def test_columns_of_a_table_cannot_stand_for_each_other(tmp_path: Path) -> None:
    def net(columns: int) -> Config:
        return wired(source("x", [columns]), dense("a", 4), dense("b", 2))

    report, plan = planned(tmp_path, net(6), net(9))
    assert steps_of(plan)["a/kernel"].contract in ("fresh", "lossy")
    assert report.verdict != "pass"


def test_a_network_that_has_nothing_in_common_gets_nothing_silently(tmp_path: Path) -> None:
    other = wired(
        source("x", [20]),
        layer("Embedding", "words", input_dim=50, output_dim=6),
        layer("LSTM", "memory", units=9),
        dense("tag", 4),
    )
    report, plan = planned(tmp_path, residual(), other)
    assert {s.contract for s in plan.steps} == {"fresh"}
    assert codes(report) == {"WB207", "WB309"}
    assert "--adapt" not in next(f.fix for f in report.findings if f.code == "WB309"), (
        "nothing would be adapted"
    )
    _, asked = planned(tmp_path, residual(), other, adapt="weights")
    assert {s.contract for s in asked.steps} == {"fresh"}


def test_sums_upon_sums_before_the_first_convolution_take_no_time() -> None:
    names = ["image", *(f"sum{n}" for n in range(60)), "conv"]
    kernel = Tensor(
        "conv/kernel",
        "kernel",
        (3, 3, 1, 4),
        "float32",
        "conv/kernel",
        lambda: np.zeros((3, 3, 1, 4), "float32"),
    )
    layers = (
        Layer("image", "Input"),
        *(Layer(name, "Add") for name in names[1:-1]),
        Layer("conv", "Conv", tensors=(kernel,)),
    )
    doubled = [Edge(a, b, i) for a, b in itertools.pairwise(names[:-1]) for i in (0, 1)]
    graph = LayerGraph(
        "m",
        "python",
        "keras",
        layers=layers,
        edges=(*doubled, Edge(names[-2], "conv")),
        has_flow=True,
        inputs=("image",),
    )
    assert [unit.is_stem for unit in convolutions(graph)] == [True]
