"""Builders of tiny seeded ONNX models for the tests; values are positive and all different."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Op = tuple[str, Sequence[str], Sequence[str], Mapping[str, Any]]


def values(shape: Sequence[int], seed: int = 0, dtype: str = "float32") -> np.ndarray:
    return (np.abs(np.random.default_rng(seed).normal(size=shape)) + 0.1).astype(dtype)


def model(
    ops: Sequence[Op],
    tensors: Mapping[str, np.ndarray],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str] | Mapping[str, Sequence[int | str]],
    *,
    names: Sequence[str] = (),
    dtype: int = TensorProto.FLOAT,
    opset: int = 17,
) -> onnx.ModelProto:
    """One graph. ops: (op, inputs, outputs, attributes).

    names: the nodes' names, those of their outputs where there are none.
    """
    shapes = outputs if isinstance(outputs, Mapping) else {}
    labels = names or [outs[0] for _, _, outs, _ in ops]
    nodes = [
        helper.make_node(op, list(i), list(o), name=n, **a)
        for (op, i, o, a), n in zip(ops, labels, strict=True)
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, dtype, list(s)) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shapes.get(n)) for n in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def saved(path: Path, *args: Any, **kwargs: Any) -> Path:
    onnx.save(model(*args, **kwargs), path)
    return path


def small(path: Path) -> Path:
    """A convolution, its BatchNorm, a Flatten and a Dense, as torch names them."""
    tensors = {
        "conv.weight": values((4, 3, 3, 3), 1),
        "conv.bias": values((4,), 2),
        "bn.weight": values((4,), 3),
        "bn.bias": values((4,), 4),
        "bn.running_mean": values((4,), 5),
        "bn.running_var": values((4,), 6),
        "fc.weight": values((5, 64), 7),
        "fc.bias": values((5,), 8),
    }
    ops: list[Op] = [
        ("Conv", ["x", "conv.weight", "conv.bias"], ["a"], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        (
            "BatchNormalization",
            ["a", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"],
            ["b"],
            {"epsilon": 1e-3, "momentum": 0.9},
        ),
        ("Relu", ["b"], ["r"], {}),
        ("Flatten", ["r"], ["f"], {}),
        ("Gemm", ["f", "fc.weight", "fc.bias"], ["g"], {"transB": 1}),
        ("Softmax", ["g"], ["y"], {}),
    ]
    return saved(path, ops, tensors, {"x": ["n", 3, 8, 8]}, {"y": ["n", 5]})
