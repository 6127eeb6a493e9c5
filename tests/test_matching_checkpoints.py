"""Weights with TensorFlow's names into Keras models.

What the names say each part of an attention is for, and biases that are not there.
"""

from pathlib import Path

import numpy as np
import pytest
from keras_files import numbers, write_legacy
from tensorflow_files import named

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.matching.match import match
from weightbridge.matching.values import Matching
from weightbridge.model.graph import Layer, LayerGraph, Order
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Array, Tensor

WIDTH, HEADS, BLOCKS = 12, 3, 2
SIZE = WIDTH // HEADS
SPREAD = {
    **dict.fromkeys(("query", "key", "value"), (WIDTH, HEADS, SIZE)),
    "attention_output": (HEADS, SIZE, WIDTH),
}
STORED = {"query": "self/query", "key": "self/key", "value": "self/value", "attention_output": "output/dense"}


def unread() -> Array:
    raise AssertionError("matching reads no bytes")


def layer(name: str, op: str, **shapes: tuple[int, ...]) -> Layer:
    tensors = (
        Tensor(f"{name}/{role}", role, shape, "float32", f"{name}/{role}", unread)
        for role, shape in shapes.items()
    )
    return Layer(name, op, tensors=tuple(tensors))


def model(*layers: Layer, format: str = "keras-zip") -> LayerGraph:
    order: Order = "class" if format == "keras-weights-h5" else "list"
    return LayerGraph("target", format, "keras", layers=with_axes(layers, "keras"), order=order)


def attention() -> LayerGraph:
    """As keras.layers.MultiHeadAttention stores it: heads are an axis, and the key comes first."""
    bias = {part: (WIDTH,) if part == "attention_output" else (HEADS, SIZE) for part in SPREAD}
    order = ("key", "query", "value", "attention_output")
    return model(
        *(
            layer(f"layer{i}_attention/{p}", "EinsumDense", kernel=SPREAD[p], bias=bias[p])
            for i in range(BLOCKS)
            for p in order
        )
    )


def of_checkpoint(folder: Path, target: LayerGraph, **shapes: tuple[int, ...]) -> Matching:
    return match(
        formats.read(named(folder, {name: np.zeros(shape, "f4") for name, shape in shapes.items()})),
        target,
        Options(),
    )


def test_an_attention_of_square_matrices_goes_where_its_names_say(tmp_path: Path) -> None:
    stored = {f"bert/encoder/layer_{i}/attention/{p}": WIDTH for i in range(BLOCKS) for p in STORED.values()}
    shapes = {f"{name}/kernel": (n, n) for name, n in stored.items()} | {
        f"{name}/bias": (n,) for name, n in stored.items()
    }
    found = {m.target: m for m in of_checkpoint(tmp_path, attention(), **shapes).matches}
    wanted = {
        f"layer{i}_attention/{p}/{r}": i for i in range(BLOCKS) for p in SPREAD for r in ("kernel", "bias")
    }
    assert {t: found[t].sources for t in wanted} == {
        t: (f"bert/encoder/layer_{i}/attention/{STORED[t.split('/')[1]]}/{t.split('/')[2]}",)
        for t, i in wanted.items()
    }
    assert min(found[t].confidence for t in wanted) > 0.9
    assert found["layer0_attention/query/kernel"].transform == "i (h d) -> i h d"
    assert found["layer0_attention/attention_output/kernel"].transform == "(h d) o -> h d o"


def test_the_weights_of_a_model_in_code_go_where_their_scopes_say(tmp_path: Path) -> None:
    """As Hugging Face's `tf_model.h5` keeps them.

    One group, scopes in the names, one matrix for query, key and value, biases as rows.
    """
    block, arrays = "gpt/transformer/h_._{}/attn", {}
    for i in range(BLOCKS):
        arrays |= {
            f"{block.format(i)}/c_attn/{role}:0": numbers(*shape)
            for role, shape in (("weight", (WIDTH, 36)), ("bias", (1, 36)))
        }
        arrays |= {
            f"{block.format(i)}/c_proj/{role}:0": numbers(*shape)
            for role, shape in (("weight", (WIDTH, WIDTH)), ("bias", (1, WIDTH)))
        }
    source = formats.read(
        write_legacy(tmp_path / "tf_model.h5", {"transformer": arrays}, version="2.8.0", backend="tensorflow")
    )
    found = {m.target: m for m in match(source, attention(), Options()).matches}
    assert len(found) == len(attention().tensors)
    fused = found["layer1_attention/value/bias"]
    assert fused.sources == ("transformer/gpt/transformer/h_._1/attn/c_attn/bias",)
    assert (fused.transform, fused.parameters["start"], fused.parameters["stop"]) == (
        "slice",
        2 * WIDTH,
        3 * WIDTH,
    )


def test_attentions_of_two_keras_models_are_told_by_their_names() -> None:
    """KerasHub lists the query first, keras.layers.MultiHeadAttention the key.

    Order and shapes would swap them.
    """
    order = ("query", "key", "value", "attention_output")
    parts = [
        layer(f"transformer_layer_{i}/self_attention_layer/{p}", "EinsumDense", kernel=SPREAD[p])
        for i in range(BLOCKS)
        for p in order
    ]
    found = {
        m.target: m for m in match(model(*parts, format="keras-weights-h5"), attention(), Options()).matches
    }
    wanted = {
        f"layer{i}_attention/{p}/kernel": f"transformer_layer_{i}/self_attention_layer/{p}/kernel"
        for i in range(BLOCKS)
        for p in order
    }
    assert {t: found[t].sources for t in wanted} == {t: (s,) for t, s in wanted.items()}


def test_without_attention_keras_models_go_by_their_order() -> None:
    """What `w2` and `w3` are called for elsewhere says nothing of a network that nobody knows."""
    source = model(
        *(layer(n, "Dense", kernel=(WIDTH, WIDTH)) for n in ("a/up_proj", "a/down_proj")),
        format="keras-weights-h5",
    )
    target = model(*(layer(n, "Dense", kernel=(WIDTH, WIDTH)) for n in ("b/w2", "b/w3")))
    found = {m.target: m for m in match(source, target, Options()).matches}
    assert (found["b/w2/kernel"].sources, found["b/w2/kernel"].evidence) == (
        ("a/up_proj/kernel",),
        ("order", "shape"),
    )


@pytest.mark.parametrize(
    ("bias", "op"),
    [((6,), "Dense"), ((1, 6), "Dense"), ((4,), "Opaque"), ((6, 1), "Opaque"), ((), "Opaque")],
    ids=["of the columns", "as a row", "of the rows", "as a column", "a single number"],
)
def test_a_matrix_called_weight_is_dense_with_a_bias_for_each_column(
    tmp_path: Path, bias: tuple[int, ...], op: str
) -> None:
    path = write_legacy(
        tmp_path / "m.h5",
        {"net": {"net/a/weight:0": numbers(4, 6), "net/a/bias:0": numbers(*bias)}},
        version="2.8.0",
    )
    assert [one.op for one in formats.read(path).layers if one.tensors] == [op]


def test_a_recurrent_kernel_of_one_number_is_no_recurrent_layer(tmp_path: Path) -> None:
    variables = {"net/a/kernel:0": numbers(4, 12), "net/a/recurrent_kernel:0": numbers()}
    path = write_legacy(tmp_path / "m.h5", {"net": variables}, version="2.8.0")
    assert [layer.op for layer in formats.read(path).layers if layer.tensors] == ["Opaque"]


CONVOLUTION = {"net/conv1/weights": (3, 3, 4, 8)}


def test_a_convolution_without_bias_is_one_with_zeros(tmp_path: Path) -> None:
    made = of_checkpoint(
        tmp_path, model(layer("conv1", "Conv", kernel=(3, 3, 4, 8), bias=(8,))), **CONVOLUTION
    )
    found = {m.target: m for m in made.matches}
    assert (found["conv1/bias"].transform, found["conv1/bias"].parameters["value"]) == ("constant", 0.0)
    assert [f.target for f in made.findings if f.code == "WB306"] == ["conv1/bias"]


def test_no_zeros_where_a_vector_is_left_over(tmp_path: Path) -> None:
    """It may be the bias under a name that nobody knows."""
    target = model(layer("conv1", "Conv", kernel=(3, 3, 4, 8), bias=(8,)))
    made = of_checkpoint(tmp_path, target, **CONVOLUTION, **{"net/somewhere/else": (8,)})
    assert "WB306" not in {f.code for f in made.findings}


def test_no_zeros_between_models_of_keras() -> None:
    """There a bias more is another model, which is said."""
    source = model(layer("conv1", "Conv", kernel=(3, 3, 4, 8)), format="keras-weights-h5")
    made = match(source, model(layer("conv1", "Conv", kernel=(3, 3, 4, 8), bias=(8,))), Options())
    assert [m.target for m in made.matches] == ["conv1/kernel"]


def test_what_convolutions_read_and_give_tells_them_apart(tmp_path: Path) -> None:
    """In equal numbers of weights.

    The shortcut of one stage widens, the first convolution of the next one narrows.
    """
    widening, narrowing = (1, 1, 8, 16), (1, 1, 16, 8)
    target = model(
        layer("conv3_block1_0_conv", "Conv", kernel=widening),
        layer("conv4_block1_1_conv", "Conv", kernel=narrowing),
    )
    shortcut, first = "net/block2/unit_1/shortcut/weights", "net/block3/unit_1/conv1/weights"
    found = {
        m.target: m.sources
        for m in of_checkpoint(tmp_path, target, **{shortcut: widening, first: narrowing}).matches
    }
    assert found == {"conv3_block1_0_conv/kernel": (shortcut,), "conv4_block1_1_conv/kernel": (first,)}
