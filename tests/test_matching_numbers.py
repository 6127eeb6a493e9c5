"""State dicts into Keras names where numbers are all the name there is.

Counted over scopes, the parts of a scale, values without axes.
"""

from collections.abc import Mapping

import pytest

from weightbridge.boundary.options import Options
from weightbridge.formats.state_dicts import StateDict, graph_of
from weightbridge.matching.match import match
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor

Shapes = Mapping[str, tuple[int, ...]]
SURE = 0.9


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def matched(source: Shapes, target: Shapes) -> dict[str, tuple[str, float]]:
    """target -> its source, and how sure that is."""
    sides = (
        StateDict(tuple(Tensor(n, "", s, "float32", n, refuse) for n, s in shapes.items()))
        for shapes in (source, target)
    )
    found = match(
        *(graph_of("model.safetensors", "safetensors", "", side) for side in sides), Options()
    ).matches
    return {m.target: (m.sources[0], m.confidence) for m in found if m.sources}


PLACES = [0, 2, 5, 7, 10]
COUNTED = {
    "counted over scopes": [f"block{b}_conv{c}" for b, c in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1))],
    "counted through": [f"conv{i}" for i in (1, 2, 3, 4, 5)],
}


@pytest.mark.parametrize("names", COUNTED.values(), ids=COUNTED)
def test_equal_layers_are_counted_on_both_sides_though_a_number_is_common_to_two_others(
    names: list[str],
) -> None:
    source = {f"features.{place}.weight": (8, 8, 3, 3) for place in PLACES}
    found = matched(source, {f"{name}/kernel": (3, 3, 8, 8) for name in names})
    assert {t: s for t, (s, _) in found.items()} == {
        f"{name}/kernel": f"features.{place}.weight" for name, place in zip(names, PLACES, strict=True)
    }
    assert max(sure for _, sure in found.values()) <= SURE


def test_names_of_several_numbers_and_schemes_are_not_counted() -> None:
    target = ["block1_conv2/kernel", "stage1_block1_conv1/kernel", "conv3/kernel"]
    found = matched(
        {f"features.{i}.weight": (8, 8, 3, 3) for i in range(3)}, dict.fromkeys(target, (3, 3, 8, 8))
    )
    assert max(sure for _, sure in found.values()) <= SURE


PARTS = ("bias", "scale")  # as files that sort by name list them


@pytest.mark.parametrize("shape", [(), (1,), (12,)], ids=["a number", "one value", "by channel"])
def test_a_lone_scale_and_its_bias_follow_their_convolution_and_the_scale_comes_first(
    shape: tuple[int, ...],
) -> None:
    widths = {"squeeze": (6, 24, 1, 1), "excite": (12, 6, 1, 1)}
    source = {f"aggregation.{i}.conv.weight": s for i, s in enumerate(widths.values())}
    source |= {f"aggregation.{i}.affine.{part}": shape for i in range(2) for part in PARTS}
    target = {f"agg_{n}/agg_{n}_conv/kernel": (1, 1, s[1], s[0]) for n, s in reversed(widths.items())}
    target |= {f"agg_{n}/agg_{n}_affine/{k}": shape for n in reversed(widths) for k in range(2)}
    found = matched(source, target)
    for i, name in enumerate(widths):
        assert found[f"agg_{name}/agg_{name}_affine/0"][0] == f"aggregation.{i}.affine.scale"
        assert found[f"agg_{name}/agg_{name}_affine/1"][0] == f"aggregation.{i}.affine.bias"
    assert max(sure for t, (_, sure) in found.items() if "affine" in t) <= SURE


def counted(names: Mapping[str, tuple[int, ...]]) -> LayerGraph:
    """A Keras file that lists layers under counters in another order than that of the counters."""
    tensors = (Tensor(n, n.rpartition("/")[2], s, "float32", n, refuse) for n, s in names.items())
    layers = tuple(
        Layer(t.name.rpartition("/")[0], "Conv", "Conv2D", {"kernel_size": t.shape[:2]}, (t,))
        for t in tensors
    )
    return LayerGraph("target.keras", "keras-zip", "keras", "", layers, (), has_flow=False)


def pairs_of(source: Shapes, target: LayerGraph) -> dict[str, str]:
    state = StateDict(tuple(Tensor(n, "", s, "float32", n, refuse) for n, s in source.items()))
    found = match(graph_of("model.safetensors", "safetensors", "", state), target, Options()).matches
    assert max(m.confidence for m in found if source[m.sources[0]] == (8, 8, 3, 3)) <= SURE
    return {m.target: m.sources[0] for m in found}


def test_equal_layers_under_a_counter_are_taken_as_it_counts_where_the_file_lists_them_otherwise() -> None:
    shapes = [(8, 8, 3, 3), (8, 8, 3, 3), (4, 8, 3, 3), (6, 8, 3, 3)]
    source = {f"inception.branch{n}.conv.weight": shape for n, shape in enumerate(shapes)}
    target = counted({f"conv2d_{n}/kernel": (3, 3, 8, shapes[n][0]) for n in (3, 1, 0, 2)})
    assert pairs_of(source, target) == {
        f"conv2d_{n}/kernel": f"inception.branch{n}.conv.weight" for n in range(4)
    }


def test_the_file_s_order_stands_where_the_counter_s_agrees_no_better() -> None:
    shapes = [(8, 8, 3, 3), (6, 8, 3, 3), (8, 8, 3, 3)]
    source = {
        f"{name}.weight": shape for name, shape in zip(("conv1", "conv2", "downsample"), shapes, strict=True)
    }
    target = counted(
        {f"conv2d_{n}/kernel": (3, 3, 8, shape[0]) for n, shape in zip((1, 2, 0), shapes, strict=True)}
    )
    assert pairs_of(source, target)["conv2d_0/kernel"] == "downsample.weight"


def test_numbers_go_before_words_where_the_kernels_come_so() -> None:
    made = ["stem0", "dense1", "join1", "dense2", "dense2.more", "join2"]
    shapes = [(8, 3, 3, 3), (8, 8, 3, 3), (8, 8, 3, 3), (8, 8, 3, 3), (4, 8, 3, 3), (6, 8, 3, 3)]
    target = counted({f"conv2d_{i}/kernel": (*s[2:], s[1], s[0]) for i, s in enumerate(shapes)})
    found = pairs_of(
        {f"features.{name}.weight": shape for name, shape in zip(made, shapes, strict=True)}, target
    )
    assert [found[f"conv2d_{i}/kernel"] for i in range(6)] == [f"features.{name}.weight" for name in made]
