"""What Keras configs say beyond the compared attributes.

Ports, keywords and constants of calls, details.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from keras_files import layer, source
from network_files import wired, write

from weightbridge import formats
from weightbridge.model.graph import Edge, LayerGraph, Port

ROOT = Path(__file__).parent.parent
KERAS2 = ROOT / "fixtures" / "keras2"
Entry = tuple[str, str, dict[str, Any], list[Any]]  # name, class, config, inbound nodes


def tensor(name: str, port: int = 0, node: int = 0) -> dict[str, Any]:
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 4], "keras_history": [name, node, port]},
    }


def call(*arguments: Any, **keywords: Any) -> dict[str, Any]:
    return {"args": list(arguments), "kwargs": keywords}


def read(
    path: Path, layers: Sequence[Entry], outputs: Sequence[Sequence[Any]], version: str = "3.8.0"
) -> LayerGraph:
    """A functional model by its JSON; what is no layer of Keras is an operation."""
    ends: Mapping[str, Any] = {
        "input_layers": [[name, 0, 0] for name, kind, _, _ in layers if kind == "InputLayer"],
        "output_layers": [list(output) for output in outputs],
    }
    entries = [
        {
            "name": name,
            "class_name": kind.rpartition(":")[2],
            "module": "keras.src.ops.numpy" if kind.startswith("op:") else "keras.layers",
            "config": {"name": name, **config},
            "inbound_nodes": nodes,
        }
        for name, kind, config, nodes in layers
    ]
    if not version.startswith("3"):
        entries = [{k: v for k, v in entry.items() if k != "module"} for entry in entries]
    model = {
        "class_name": "Functional",
        "config": {"name": "m", "layers": entries, **ends},
        "keras_version": version,
    }
    path.write_text(json.dumps(model))
    return formats.read(path)


def incoming(graph: LayerGraph, name: str) -> list[tuple[str, int, str]]:
    edges = sorted((e for e in graph.edges if e.target == name), key=lambda e: e.position)
    return [(edge.source, edge.port, edge.keyword) for edge in edges]


X: Entry = ("x", "InputLayer", {"batch_shape": [None, 5, 4]}, [])
STATEFUL = {"units": 3, "return_sequences": True, "return_state": True}


def test_the_state_of_a_gru_is_another_port_than_its_sequence(tmp_path: Path) -> None:
    second = call(tensor("gru"), initial_state=tensor("gru", 1), mask=None)
    graph = read(
        tmp_path / "m.json",
        [X, ("gru", "GRU", STATEFUL, [call(tensor("x"))]), ("next", "GRU", {"units": 3}, [second])],
        [["next", 0, 0], ["gru", 0, 1]],
    )
    assert incoming(graph, "next") == [("gru", 0, ""), ("gru", 1, "initial_state.0")]
    assert graph.outputs == ("next", "gru")
    assert graph.output_ports == (Port("next"), Port("gru", 1))
    assert graph.dag.number_of_edges("gru", "next") == 2


def test_states_that_older_keras_lists_behind_the_sequence_have_keywords(tmp_path: Path) -> None:
    lstm = ("lstm", "LSTM", {"units": 3}, [[["x", 0, 0, {}], ["h", 0, 0, {}], ["c", 0, 0, {}]]])
    states: list[Entry] = [(n, "InputLayer", {"batch_input_shape": [None, 3]}, []) for n in "hc"]
    graph = read(tmp_path / "m.json", [X, *states, lstm], [["lstm", 0, 0]], "2.12.0")
    assert incoming(graph, "lstm") == [("x", 0, ""), ("h", 0, "initial_state.0"), ("c", 0, "initial_state.1")]


def test_a_nested_model_has_a_port_for_each_output(tmp_path: Path) -> None:
    inner = {
        "name": "inner",
        "layers": [
            {"name": "a", "class_name": "InputLayer", "config": {"name": "a"}, "inbound_nodes": []},
            {
                "name": "gru",
                "class_name": "GRU",
                "config": {"name": "gru", **STATEFUL},
                "inbound_nodes": [[["a", 0, 0, {}]]],
            },
            {
                "name": "dense",
                "class_name": "Dense",
                "config": {"name": "dense", "units": 2},
                "inbound_nodes": [[["gru", 0, 1, {}]]],
            },
        ],
        "input_layers": [["a", 0, 0]],
        "output_layers": [["dense", 0, 0], ["gru", 0, 1]],
    }
    nested = ("inner", "Functional", inner, [[["x", 0, 0, {}]]])
    both = ("both", "Concatenate", {}, [[["inner", 1, 0, {}], ["inner", 1, 1, {}]]])
    graph = read(tmp_path / "m.json", [X, nested, both], [["both", 0, 0]], "2.12.0")
    assert incoming(graph, "both") == [("inner/dense", 0, ""), ("inner/gru", 1, "")]
    assert incoming(graph, "inner/dense") == [("inner/gru", 1, "")]


MHA = {"num_heads": 2, "key_dim": 3, "dropout": 0.1}
MASK: Entry = ("mask", "InputLayer", {"batch_shape": [None, 5, 5]}, [])
VALUES: Entry = ("v", "InputLayer", {"batch_shape": [None, 5, 6]}, [])
KEYS: Entry = ("k", "InputLayer", {"batch_shape": [None, 5, 7]}, [])


@pytest.mark.parametrize(
    "called",
    [
        call(tensor("x"), tensor("v"), tensor("k"), attention_mask=tensor("mask"), use_causal_mask=True),
        call(
            tensor("x"),
            key=tensor("k"),
            value=tensor("v"),
            attention_mask=tensor("mask"),
            use_causal_mask=True,
        ),
        call(
            query=tensor("x"),
            attention_mask=tensor("mask"),
            key=tensor("k"),
            value=tensor("v"),
            use_causal_mask=True,
        ),
    ],
    ids=["positional", "keywords-in-another-order", "keywords-alone"],
)
def test_attention_reads_each_argument_by_its_name(tmp_path: Path, called: dict[str, Any]) -> None:
    graph = read(
        tmp_path / "m.json",
        [X, VALUES, KEYS, MASK, ("mha", "MultiHeadAttention", MHA, [called])],
        [["mha", 0, 0]],
    )
    parents = {name: graph.parents[f"mha/{name}"] for name in ("query", "value", "key")}
    assert parents == {"query": ("x",), "value": ("v",), "key": ("k",)}
    assert incoming(graph, "mha")[-1] == ("mask", 0, "attention_mask")
    assert graph.by_name["mha"].details["use_causal_mask"] is True
    assert graph.by_name["mha"].details["dropout"] == 0.1
    assert [t.shape[0] for t in graph.tensors if t.role == "kernel"][:3] == [4, 7, 6]


def test_a_mask_is_no_key_of_attention(tmp_path: Path) -> None:
    called = call(tensor("x"), tensor("v"), attention_mask=tensor("mask"))
    graph = read(
        tmp_path / "m.json", [X, VALUES, MASK, ("mha", "MultiHeadAttention", MHA, [called])], [["mha", 0, 0]]
    )
    assert graph.parents["mha/key"] == ("v",)
    assert Edge("mask", "mha", 1, 0, "attention_mask") in graph.edges


def numpy(value: Any) -> dict[str, Any]:
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}


def cut(start: Any, stop: Any, step: Any) -> dict[str, Any]:
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}


ELLIPSIS = {"class_name": "__ellipsis__", "config": {}}
INPUT = {"input": 0}


@pytest.mark.parametrize(
    ("operation", "config", "called", "expected"),
    [
        ("Multiply", {}, call(2.0, tensor("x")), {"arguments": (2.0, INPUT)}),
        ("Add", {}, call(tensor("x"), numpy([[1.0, 2.0]])), {"arguments": (INPUT, ((1.0, 2.0),))}),
        (
            "GetItem",
            {},
            call(tensor("x"), [cut(None, None, None), cut(1, 5, 2), ELLIPSIS, -1]),
            {"arguments": (INPUT, ({"slice": (None, None, None)}, {"slice": (1, 5, 2)}, "...", -1))},
        ),
        ("Cast", {"dtype": "float16"}, call(tensor("x")), {"dtype": "float16", "precision": "float16"}),
        ("Add", {}, call(tensor("x"), tensor("x")), {}),
        ("Relu", {}, call(tensor("x"), name="r", training=False), {"keywords": {"training": False}}),
    ],
    ids=["constant-first", "array", "get-item", "cast", "no-constant", "keyword"],
)
def test_constants_of_an_operation(
    tmp_path: Path, operation: str, config: dict[str, Any], called: dict[str, Any], expected: dict[str, Any]
) -> None:
    graph = read(tmp_path / "m.json", [X, ("op", f"op:{operation}", config, [called])], [["op", 0, 0]])
    assert graph.by_name["op"].details == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (["x", 0, 0, {"y": 1.0, "name": None}], {"keywords": {"y": 1.0}}),
        (["_CONSTANT_VALUE", -1, 2.0, {"y": ["x", 0, 0]}], {"arguments": (2.0,)}),
        ([["x", 0, 0, {"axis": -1}], ["x", 0, 0, {"axis": -1}]], {"keywords": {"axis": -1}}),
    ],
    ids=["keyword", "constant-first", "list"],
)
def test_constants_of_a_tensorflow_function(tmp_path: Path, node: Any, expected: dict[str, Any]) -> None:
    entry: Entry = ("op", "TFOpLambda", {"function": "math.add"}, [node])
    graph = read(tmp_path / "m.json", [X, entry], [["op", 0, 0]], "2.12.0")
    assert {k: v for k, v in graph.by_name["op"].details.items() if k in expected} == expected
    keyword = "y" if node[0] == "_CONSTANT_VALUE" else ""
    assert set(incoming(graph, "op")) == {("x", 0, keyword)}


RECURRENT = {
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "return_state": False,
    "stateful": False,
    "unroll": False,
}


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("LSTM", {"units": 3, "recurrent_dropout": 0.5}, RECURRENT | {"recurrent_dropout": 0.5}),
        ("Embedding", {"input_dim": 3, "output_dim": 2, "mask_zero": True}, {"mask_zero": True}),
        ("AveragePooling1D", {"pool_size": 2},
            {"count_include_pad": False, "ceil_mode": False, "padding_mode": "valid"}),
        ("MaxPooling1D", {"pool_size": 2, "padding": "same"}, {"ceil_mode": False, "padding_mode": "same"}),
        ("LayerNormalization", {"rms_scaling": True}, {"rms_scaling": True}),
        ("Dropout", {"rate": 0.5, "noise_shape": [None, 1, 4]}, {"noise_shape": (None, 1, 4)}),
        ("UpSampling1D", {"size": 2}, {"coordinate_transformation": "asymmetric"}),
        ("Resizing", {"height": 2, "width": 2}, {"coordinate_transformation": "half_pixel"}),
        ("Normalization", {"mean": [1.0], "variance": [2.0]},
            {"mean": (1.0,), "variance": (2.0,), "invert": False}),
        ("GaussianNoise", {"stddev": 0.1, "seed": 3}, {}),
        ("Dense", {"units": 2, "dtype": {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}},
         {"precision": "mixed_float16"}),
        ("Dense", {"units": 2, "dtype": "float32"}, {}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_details_of_a_class(
    tmp_path: Path, kind: str, config: dict[str, Any], expected: dict[str, Any]
) -> None:
    graph = read(tmp_path / "m.json", [X, ("layer", kind, config, [call(tensor("x"))])], [["layer", 0, 0]])
    details = graph.by_name["layer"].details
    assert {key: details.get(key) for key in expected} == expected
    assert expected or not details


@pytest.mark.parametrize("path", sorted(KERAS2.glob("*.h5")), ids=lambda path: path.stem)
def test_details_have_other_names_than_attributes(path: Path) -> None:
    graph = formats.read(path)
    assert all(not layer.details.keys() & layer.attributes.keys() for layer in graph.layers)
    assert all(
        layer.settings.keys() == layer.details.keys() | layer.attributes.keys() for layer in graph.layers
    )


def test_keras_2_operations_keep_their_arguments() -> None:
    graph = formats.read(KERAS2 / "tensorflow_ops.h5")
    keywords = [layer.details.get("keywords") for layer in graph.layers if layer.class_name == "TFOpLambda"]
    assert keywords[:2] == [{"y": 1.0}, {"axis": -1}]


@pytest.mark.parametrize(
    ("class_name", "roles"), [("LayerScale", ["gamma"]), ("Unheard", [])], ids=["known", "unknown"]
)
def test_a_json_with_a_class_of_keras_that_is_no_public_layer(
    tmp_path: Path, class_name: str, roles: list[str]
) -> None:
    """ConvNeXt's own layers have a module of Keras's, and no place in the table of classes."""
    inner = layer(class_name, "scale", module="keras.src.applications.convnext", projection_dim=4)
    path = write(tmp_path, "model", wired(source("x", [4]), inner, layer("Dense", "last", units=2)))
    graph = formats.read(path)
    assert [(t.role, t.shape) for t in graph.by_name["scale"].tensors] == [(role, (4,)) for role in roles]
