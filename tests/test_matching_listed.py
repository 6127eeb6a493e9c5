"""Keras models that list the same layers, one of them without data flow.

The list decides, whatever the layers are called.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from weightbridge.boundary.options import Options
from weightbridge.formats.tensorflow.checkpoint.file import order_of
from weightbridge.matching.match import match
from weightbridge.model.graph import Edge, Layer, LayerGraph, Order
from weightbridge.model.tensors import Array, Tensor

WIDTH, HEADS, BLOCKS = 8, 2, 3
SURE = 0.9
VECTORS = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (WIDTH,))
PARTS = ("query", "key", "value", "attention_output")
INPUT = Layer("x", "Input", "InputLayer")


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def layer(name: str, op: str, key: str = "", **shapes: tuple[int, ...]) -> Layer:
    tensors = (
        Tensor(f"{name}/{r}", r, shape, "float32", f"{key or name}/{r}", refuse)
        for r, shape in shapes.items()
    )
    return Layer(name, op, tensors=tuple(tensors))


def graph(layers: Iterable[Layer], format: str, edges: Sequence[tuple[str, str]] = ()) -> LayerGraph:
    layers, joined = tuple(layers), tuple(Edge(a, b) for a, b in edges)
    order: Order = "class" if format == "keras-weights-h5" else "list"
    if format == "tf-checkpoint":
        order = order_of(layers)
    return LayerGraph("model", format, "keras", "", layers, joined, has_flow=bool(edges), order=order)


def pairs(source: LayerGraph, target: LayerGraph) -> dict[str, str]:
    """Layer by layer what is surely matched."""
    found = match(source, target, Options()).matches
    return {
        m.target.rpartition("/")[0]: m.sources[0].rpartition("/")[0] for m in found if m.confidence > SURE
    }


def branches(names: str) -> list[Layer]:
    """Two branches of which the second pools first.

    Its convolution comes before the other's, its norm behind the other's.
    """
    convs = [layer(f"{names}{i}", "Conv", kernel=(3, 3, WIDTH, WIDTH)) for i in (1, 0)]
    return [
        INPUT,
        *convs,
        *(layer(f"{names}{i}n", "BatchNorm", **VECTORS) for i in (0, 1)),
        Layer(f"{names}sum", "Add"),
    ]


def test_norms_need_not_stand_in_the_order_of_their_convolutions() -> None:
    edges = [("x", "t0"), ("x", "t1"), ("t0", "t0n"), ("t1", "t1n"), ("t0n", "tsum"), ("t1n", "tsum")]
    found = pairs(graph(branches("s"), "keras-weights-h5"), graph(branches("t"), "keras-zip", edges))
    assert found == {"t0": "s0", "t1": "s1", "t0n": "s0n", "t1n": "s1n"}


def attentions(names: Sequence[str], parts: Sequence[str]) -> list[Layer]:
    shapes = {
        p: (HEADS, WIDTH // HEADS, WIDTH) if p == "attention_output" else (WIDTH, HEADS, WIDTH // HEADS)
        for p in parts
    }
    return [INPUT, *(layer(f"{name}/{p}", "EinsumDense", kernel=shapes[p]) for name in names for p in parts)]


@pytest.mark.parametrize("format", ["keras-weights-h5", "keras-h5-weights"])
def test_attentions_of_renamed_layers_are_told_by_their_place(format: str) -> None:
    own, other = ("attention", "attention_1", "attention_2"), ("ucst", "uqxk", "uabd")
    target = attentions(other, PARTS)
    edges = [(a.name, b.name) for a, b in pairwise(target)]
    found = pairs(graph(attentions(own, sorted(PARTS)), format), graph(target, "keras-zip", edges))
    assert found == {f"{t}/{p}": f"{s}/{p}" for s, t in zip(own, other, strict=True) for p in PARTS}


def test_a_scale_by_channel_is_no_norm_of_the_other_file() -> None:
    def blocks(names: str, scale: str, role: str, **options: int) -> list[Layer]:
        kinds = ((f"{c}0", f"{c}1", f"{c}2") for c in names)
        made = (
            (
                conv(a, **options),
                layer(b, "LayerNorm", gamma=(WIDTH,), beta=(WIDTH,)),
                layer(c, scale, **{role: (WIDTH,)}),
            )
            for a, b, c in kinds
        )
        return [INPUT, *(one for block in made for one in block)]

    def conv(name: str, **options: int) -> Layer:
        return replace(
            layer(name, "Conv", kernel=(7, 7, 1, WIDTH)),
            class_name="Conv2D",
            attributes={"kernel_size": (7, 7), **options},
        )

    target = blocks("qxk", "Opaque", "variable", groups=WIDTH)
    edges = [(a.name, b.name) for a, b in pairwise(target)]
    found = pairs(
        graph(blocks("abc", "LayerNorm", "gamma"), "keras-weights-h5"), graph(target, "keras-zip", edges)
    )
    assert found == {f"{t}{i}": f"{s}{i}" for s, t in zip("abc", "qxk", strict=True) for i in range(3)}


@pytest.mark.parametrize(
    ("key", "is_told"),
    [
        pytest.param("model/_operations/{}", True, id="keras-3"),
        pytest.param("layer_with_weights-{}", True, id="keras-2"),
        pytest.param("model/block{}", False, id="attributes"),
    ],
)
def test_a_checkpoint_that_keeps_a_model_s_list_of_layers_has_its_order(key: str, is_told: bool) -> None:
    source = [layer(f"dense_{i}", "Dense", key.format(i), kernel=(WIDTH, WIDTH)) for i in range(BLOCKS)]
    target = [INPUT, *(layer(f"u{c}", "Dense", kernel=(WIDTH, WIDTH)) for c in "qxk")]
    edges = [(a.name, b.name) for a, b in pairwise(target)]
    found = pairs(graph(source, "tf-checkpoint"), graph(target, "keras-zip", edges))
    assert found == ({f"u{c}": f"dense_{i}" for i, c in enumerate("qxk")} if is_told else {})
