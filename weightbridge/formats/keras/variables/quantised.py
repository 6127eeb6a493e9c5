"""Keras's own quantisation (`model.quantize`): which variables a layer has then, and the floats they stand
for.

The orders are those of `variable_serialization_spec` in keras/src/layers (Dense, EinsumDense, Embedding).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from weightbridge.errors.diagnostics import Finding, finding, listed, with_severity
from weightbridge.formats.quantised import applied
from weightbridge.model.graph import Excluded, Layer, LayerGraph
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Computed, Tensor

BASES = ("kernel", "embeddings")
CODES = "int8"
FLOAT8 = ("inputs_scale", "inputs_amax_history", "kernel_scale", "kernel_amax_history",
          "outputs_grad_scale", "outputs_grad_amax_history")  # fmt: skip
PACKED = ("quantized_kernel", "kernel_scale", "kernel_zero", "g_idx")
SHOWN = 3


def mode_of(config: Mapping[str, Any]) -> str:
    """`int8`, `int4`, `float8`, `gptq`, ... by a layer's dtype policy; "" for floats."""
    policy = config.get("dtype")
    inner = policy.get("config") if isinstance(policy, dict) else None
    if isinstance(inner, dict):
        mode = inner.get("mode")
        return mode.split("/")[0] if isinstance(mode, str) else ""
    return (
        policy.partition("_from_")[0].split("/")[0] if isinstance(policy, str) and "_from_" in policy else ""
    )


def quantised_roles(roles: Sequence[str], mode: str, count: int) -> tuple[str, ...] | None:
    """The roles of a quantised layer's variables, from those of its float form; None if they do not fit."""
    base = next((role for role in roles if role in BASES), "")
    rest = tuple(role for role in roles if role != base)
    match mode:
        case "int8" | "int4":
            full = (*roles, f"{base}_scale", f"{base}_zero", "g_idx")
        case "float8":
            full = (*roles, *FLOAT8)
        case "gptq":
            full = (*rest, *PACKED)
        case "awq":
            full = (*rest, *PACKED[:3], "awq_scales", "g_idx")
        case _:
            return None
    return full[:count] if base and len(roles) <= count <= len(full) else None


def quantised_mode(variables: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    """The mode that dtypes and shapes of a layer's variables tell: `int4` for integers, `float8` for
    histories.
    """
    if variables and variables[0][0] == CODES:
        return "int4"
    ranks = [len(shape) for _, shape in variables]
    return "float8" if len(ranks) in (7, 8) and ranks[-6:] == [0, 1] * 3 else ""


def with_effective(graph: LayerGraph) -> LayerGraph:
    """The graph with the floats of its quantised layers as `effective`, and WB109 where it has any."""
    plain = tuple(map(_without_state, graph.layers))
    holders = {layer.name: layer for layer in plain if layer.op == "Attention"}
    floats = tuple(_floats(layer, holders.get(layer.name.rpartition("/")[0])) for layer in plain)
    if floats == graph.layers:
        return graph
    kept_names = {tensor.name for layer in plain for tensor in layer.tensors}
    state = [Excluded(t.name, "state", t.size) for t in graph.tensors if t.name not in kept_names]
    findings = (*graph.findings, *_said(graph, floats))
    stored = replace(graph, layers=plain, excluded=(*graph.excluded, *state), findings=findings)
    return replace(stored, effective=replace(stored, layers=with_axes(floats, "keras")))


def _without_state(layer: Layer) -> Layer:
    """Without what belongs to no weight: float8's histories, and codes that no floats can be made of."""
    roles = {tensor.role for tensor in layer.tensors}
    gone: set[str] = set()
    if FLOAT8[1] in roles:
        gone = set(FLOAT8)
    elif any(_base(layer)) and _computed(layer) is None:
        gone = {tensor.role for tensor in layer.tensors if tensor.role not in ("bias",)}
    if not gone:
        return layer
    return replace(layer, tensors=tuple(tensor for tensor in layer.tensors if tensor.role not in gone))


def _base(layer: Layer) -> tuple[str, ...]:
    """The roles of a layer's codes."""
    codes = [t.role for t in layer.tensors if t.role in BASES and t.dtype == CODES]
    return (*codes, *(t.role for t in layer.tensors if t.role == PACKED[0]))


def _floats(layer: Layer, holder: Layer | None) -> Layer:
    """The layer with the weight in place of its codes, scales and zero points.

    holder: the attention whose projection it is.
    """
    weight = _computed(layer)
    if weight is None or weight.computed is None:
        return layer
    parts = {part.name for part in weight.computed.parts}
    others = [tensor for tensor in layer.tensors if tensor.name not in parts]
    return replace(layer, tensors=(_by_heads(weight, weight.computed, layer, holder), *others))


def _by_heads(weight: Tensor, computed: Computed, layer: Layer, holder: Layer | None) -> Tensor:
    """A projection's weight with an axis for the heads again, which packing has flattened."""
    if holder is None or len(weight.shape) != 2:
        return weight
    told = holder.attributes
    heads, (rows, columns) = told.get("heads"), weight.shape
    kept, key, value = told.get("key_value_heads", heads), told.get("key_dim"), told.get("value_dim")
    shapes = {
        "query": (rows, heads, key),
        "key": (rows, kept, key),
        "value": (rows, kept, value),
        "attention_output": (heads, value, columns),
    }
    shape = shapes.get(layer.name.rpartition("/")[2], ())
    if not all(isinstance(n, int) for n in shape) or prod(n or 0 for n in shape) != weight.size:
        return weight
    lengths = tuple(n for n in shape if n is not None)
    parameters = {**computed.parameters, "shape": list(lengths)}
    return replace(weight, shape=lengths, computed=replace(computed, parameters=parameters))


def _computed(layer: Layer) -> Tensor | None:
    """The weight of a layer with codes whose scales are known, else None."""
    pair = _codes_and_scale(layer)
    if pair is None:
        return None
    codes, scale = pair
    groups = _groups(layer, codes.role)
    columns, shape = _columns(layer, codes, scale), _scale_shape(layer, codes, scale)
    if columns is None or (shape is None and not groups):
        return None
    axis = -1 if codes.role == "embeddings" else 0
    parameters = {"columns": columns, "axis": axis, "scale": list(shape or ())}
    recipe = Computed((codes, scale, *groups), "dequantise-keras", parameters)
    return replace(codes, shape=(*codes.shape[:-1], columns), dtype="float32", computed=recipe)


def _codes_and_scale(layer: Layer) -> tuple[Tensor, Tensor] | None:
    codes = next((t for t in layer.tensors if t.role in BASES and t.dtype == CODES), None)
    scale = None if codes is None else layer.tensor(f"{codes.role}_scale")
    return None if codes is None or scale is None else (codes, scale)


def _groups(layer: Layer, base: str) -> tuple[Tensor, ...]:
    """Zero points and the group of each row or column, where scales are of groups."""
    zero, groups = layer.tensor(f"{base}_zero"), layer.tensor("g_idx")
    return () if zero is None or groups is None else (zero, groups)


def _columns(layer: Layer, codes: Tensor, scale: Tensor) -> int | None:
    """The length of the last axis: codes of 4 bits are packed along it, two in a byte."""
    packed, groups = codes.shape[-1], layer.tensor("g_idx")
    if len(codes.shape) > 2:
        return packed
    told: Any = scale.shape[-1]
    if codes.role == "embeddings":
        told = layer.attributes.get("output_dim", packed) if groups is None else groups.size
    return told if isinstance(told, int) and packed in (told, (told + 1) // 2) else None


def _scale_shape(layer: Layer, codes: Tensor, scale: Tensor) -> tuple[int, ...] | None:
    """The scale's shape beside the weight's, one number for each row, column, or output axis; None if
    unknown.
    """
    if codes.role == "embeddings":
        return (*scale.shape, 1) if scale.shape == codes.shape[:1] else None
    if len(codes.shape) == 2:
        return (1, scale.size) if scale.size == scale.shape[-1] else None
    if "equation" not in layer.attributes:
        return _by_last_axes(codes.shape, scale.shape)
    return _by_equation(str(layer.attributes["equation"]), codes.shape)


def _by_equation(equation: str, codes: tuple[int, ...]) -> tuple[int, ...] | None:
    """A scale with a number for each place along the axes that the output has, in its order."""
    inputs, _, output = equation.partition("->")
    kernel = inputs.partition(",")[2]
    kept = [axis for axis in kernel if axis in output]
    if len(kernel) != len(codes) or kept != [axis for axis in output if axis in kernel]:
        return None
    return tuple(n if axis in output else 1 for axis, n in zip(kernel, codes, strict=True))


def _by_last_axes(codes: tuple[int, ...], scale: tuple[int, ...]) -> tuple[int, ...] | None:
    """A scale with a number for each place along the last axes, as projections of attention have."""
    tail = scale
    while tail and tail[0] == 1:
        tail = tail[1:]
    fits = len(tail) < len(codes) and codes[len(codes) - len(tail) :] == tail
    return (*(1,) * (len(codes) - len(tail)), *tail) if fits else None


def _said(graph: LayerGraph, floats: Sequence[Layer]) -> list[Finding]:
    made = [t.name for layer in floats for t in layer.tensors if t.computed]
    codes = [f"{layer.name}/{role}" for layer in graph.layers for role in _base(layer)]
    unknown = [name for name in codes if name not in made]
    said = []
    if made:
        message = f"{len(made)} tensors are stored as Keras's integers with scales, which are applied: "
        said.append(applied(message + listed(made, SHOWN), made[0]))
    if unknown:
        message = (
            f"{len(unknown)} tensors hold codes of Keras's quantisation that no floats can be made of here: "
        )
        fix = "give the model as it was before quantize() was called"
        found = finding("WB109", message + listed(unknown, SHOWN), source=unknown[0], fix=fix)
        said.append(with_severity(found, "error"))
    return said
