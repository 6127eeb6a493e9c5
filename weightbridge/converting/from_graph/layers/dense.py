"""Dense layers and tables."""

from collections.abc import Mapping
from typing import Any

from weightbridge.converting.from_graph.arrange import as_source, last_axis
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.activations import fused_name
from weightbridge.converting.from_graph.layout import Group, Layout, Length, plain, with_source
from weightbridge.converting.from_graph.source.kernels import Pattern, flat, pattern_of, put, rows
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Tensor


def _dense(call: Call) -> Value:
    """A product over the last axis; after a Flatten the rows of the kernel are as Keras flattens."""
    kernel, units = call.needed("kernel"), int(call.settings["units"])
    if call.settings.get("axis", -1) not in (-1, call.first.layout.rank - 1):
        raise Unsupported("has its matrix on the left")
    value = last_axis(call.writer, call.first, -1, call.name)
    given, held, lengths = rows(value.layout, -1)
    bias = call.tensor("bias")
    config = {"units": units, "use_bias": bias is not None, **fused_name(call)}
    name, number = call.keras("Dense", config, value)
    size = kernel.size // units
    if given == held:
        moved = pattern_of(kernel, "i o", (size, units), {})
    else:
        if kernel.axes not in ("i o", "o i"):
            raise Unsupported(f"has a tensor {kernel.name} ({kernel.axes}) behind axes that Keras turns")
        axes = f"({given}) o" if kernel.axes == "i o" else f"o ({given})"
        moved = f"{axes} -> ({held}) o", {**lengths, "o": units}
    _put(call, name, (size, units), kernel, _times(moved, call.settings.get("alpha", 1.0)))
    if bias is not None:
        _put(call, name, (units,), bias, _times(_vector(bias, units), call.settings.get("beta", 1.0)))
    return Value(name, number, 0, with_features(value.layout, units))


def _put(call: Call, layer: str, shape: tuple[int, ...], tensor: Tensor, moved: Pattern) -> None:
    call.weight(layer, tensor.role, shape, tensor, *moved)


def _vector(bias: Tensor, units: int) -> Pattern:
    """A bias with a number for each unit, or with one for all."""
    if bias.size == units:
        return flat(bias)
    if bias.size != 1:
        raise Unsupported(
            f"adds {bias.name} of shape {bias.shape}, expected one number for each of {units} units"
        )
    pattern = f"{'1 ' * (len(bias.shape) - 1)}o -> o"
    return "rows", {"axis": len(bias.shape) - 1, "rows": [0] * units, "pattern": pattern, "o": units}


def _times(moved: Pattern, factor: float) -> Pattern:
    """What a product of ONNX multiplies its matrix (alpha) or its bias (beta) by, as part of the weight."""
    if factor == 1.0:
        return moved
    told = {"inner": moved[0], "parameters": dict(moved[1]), "parts": 1, "blocks": [0], "factor": factor}
    return "scaled", told


def with_features(layout: Layout, units: int) -> Layout:
    """Another length of the last axis, which is Keras's last as well."""
    gone = set(layout.source[-1])
    keep = [atom for atom in range(len(layout.lengths)) if atom not in gone]
    number = {atom: n for n, atom in enumerate(keep)}
    fresh: Group = () if units == 1 else (len(keep),)
    lengths = (*(layout.lengths[atom] for atom in keep), *(() if units == 1 else (units,)))
    source = (*(tuple(number[a] for a in group) for group in layout.source[:-1]), fresh)
    keras = (*(tuple(number[a] for a in group) for group in layout.keras[:-1]), fresh)
    return with_source(Layout(lengths, source, keras), source)


def _einsum(call: Call) -> Value:
    """The source's own equation, on the source's own axes."""
    equation = str(call.settings["equation"]).replace(" ", "")
    value = as_source(call.writer, call.first, call.name)
    fed, _, rest = equation.partition(",")
    weights, _, made = rest.partition("->")
    kernel, bias = call.needed("kernel"), call.tensor("bias")
    if "." in equation or len(fed) != value.layout.rank or len(weights) != len(kernel.shape):
        raise Unsupported(f"is the sum {equation}, which does not fit its operands")
    sizes: dict[str, Length] = dict(zip(weights, kernel.shape, strict=True))
    sizes |= dict(zip(fed, value.layout.source_shape, strict=True))
    shape = [sizes[letter] for letter in made]
    config: dict[str, Any] = {"equation": equation, "output_shape": shape[1:], **fused_name(call)}
    if bias is not None:
        config["bias_axes"] = made[-len(bias.shape) :]
    name, number = call.keras("EinsumDense", config, value)
    call.weight(name, "kernel", kernel.shape, kernel, "")
    if bias is not None:
        call.weight(name, "bias", bias.shape, bias, "")
    return Value(name, number, 0, plain(shape))


def _embedding(call: Call) -> Value:
    table = call.needed("embeddings")
    size = (int(call.settings["input_dim"]), int(call.settings["output_dim"]))
    name, number = call.keras("Embedding", {"input_dim": size[0], "output_dim": size[1]}, call.first)
    put(call, name, table, ("v e", size))
    layout = call.first.layout
    atom = len(layout.lengths)
    group: Group = (atom,) if size[1] != 1 else ()
    lengths = (*layout.lengths, *((size[1],) if group else ()))
    return Value(name, number, 0, Layout(lengths, (*layout.source, group), (*layout.keras, group)))


BUILDERS: Mapping[str, Builder] = {"Dense": _dense, "EinsumDense": _einsum, "Embedding": _embedding}
