"""State dicts into Keras names where numbers are all the name there is: counted over scopes, the parts of a scale, values without axes."""

from collections.abc import Mapping

import pytest

from weightbridge.formats.state_dicts import StateDict, graph_of
from weightbridge.matching.match import match
from weightbridge.options import Options
from weightbridge.tensors import Array, Tensor

Shapes = Mapping[str, tuple[int, ...]]
SURE = 0.9


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def matched(source: Shapes, target: Shapes) -> dict[str, tuple[str, float]]:
    """target -> its source, and how sure that is."""
    sides = (StateDict(tuple(Tensor(n, "", s, "float32", n, refuse) for n, s in shapes.items())) for shapes in (source, target))
    found = match(*(graph_of("model.safetensors", "safetensors", "", side) for side in sides), Options()).matches
    return {m.target: (m.sources[0], m.confidence) for m in found if m.sources}


PLACES = [0, 2, 5, 7, 10]
COUNTED = {
    "counted over scopes": [f"block{b}_conv{c}" for b, c in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1))],
    "counted through": [f"conv{i}" for i in (1, 2, 3, 4, 5)],
}


@pytest.mark.parametrize("names", COUNTED.values(), ids=COUNTED)
def test_equal_layers_are_counted_on_both_sides_though_a_number_is_common_to_two_others(names: list[str]) -> None:
    source = {f"features.{place}.weight": (8, 8, 3, 3) for place in PLACES}
    found = matched(source, {f"{name}/kernel": (3, 3, 8, 8) for name in names})
    assert {t: s for t, (s, _) in found.items()} == {
        f"{name}/kernel": f"features.{place}.weight" for name, place in zip(names, PLACES, strict=True)
    }
    assert max(sure for _, sure in found.values()) <= SURE


def test_names_of_several_numbers_and_schemes_are_not_counted() -> None:
    target = ["block1_conv2/kernel", "stage1_block1_conv1/kernel", "conv3/kernel"]
    found = matched({f"features.{i}.weight": (8, 8, 3, 3) for i in range(3)}, dict.fromkeys(target, (3, 3, 8, 8)))
    assert max(sure for _, sure in found.values()) <= SURE


PARTS = ("bias", "scale")  # as files that sort by name list them


@pytest.mark.parametrize("shape", [(), (1,), (12,)], ids=["a number", "one value", "by channel"])
def test_a_lone_scale_and_its_bias_follow_their_convolution_and_the_scale_comes_first(shape: tuple[int, ...]) -> None:
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
