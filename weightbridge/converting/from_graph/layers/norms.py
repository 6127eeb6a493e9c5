"""Normalisations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from weightbridge.converting.from_graph.arrange import apart, last_axis, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import axis_of, with_source
from weightbridge.converting.from_graph.source.kernels import put_vector
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Tensor

ONNX_NORMS = frozenset({"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"})
STATISTICS = ("moving_mean", "moving_variance")
OF_GROUPS = "numbers of a group of channels are those of each of its channels, which are trained apart"


def channel_axis(call: Call) -> int:
    """Which of the source's axes holds the channels."""
    return -1 if call.settings.get("data_format") == "channels_last" else 1


def with_axis(call: Call, axis: int) -> Value:
    """The value, with one of the source's axes as one of Keras's."""
    value = call.first
    if value.layout.place(axis) is None:
        value = apart(call.writer, value, call.name)
    return value


def place_of(value: Value, axis: int) -> int:
    """Which of Keras's axes it is, -1 for the last."""
    place = value.layout.place(axis)
    if place is None:
        place = one_by_one(value.layout).index(value.layout.axis(axis))
    return -1 if place == len(value.layout.keras) - 1 else place


def _batch_norm(call: Call) -> Value:
    axis = channel_axis(call)
    value = with_axis(call, axis)
    roles = [role for role in ("gamma", "beta") if call.tensor(role) is not None]
    config = {
        "axis": place_of(value, axis),
        "epsilon": float(call.settings["epsilon"]),
        "momentum": float(call.settings.get("momentum", 0.99)),
        "scale": "gamma" in roles,
        "center": "beta" in roles,
    }
    name, number = call.keras("BatchNormalization", config, value)
    for role in (*roles, *STATISTICS):
        put_vector(call, name, role, call.needed(role), value.layout, axis)
    return value.after(name, number)


def _layer_norm(call: Call) -> Value:
    """Over the last axis, wherever Keras has it."""
    if _axes_behind(call) > 1:
        return _over_several(call, _axes_behind(call))
    axis, value = _normalised(call)
    gamma, beta = call.tensor("gamma"), call.tensor("beta")
    config = {"axis": place_of(value, axis), "epsilon": float(call.settings["epsilon"])}
    config |= {"scale": gamma is not None, "center": beta is not None}
    name, number = call.keras("LayerNormalization", config, value)
    return _with_vectors(call, value, axis, name, number)


def _axes_behind(call: Call) -> int:
    """Over how many axes ONNX's own node normalises: from the one that it names to the last."""
    axis, rank = call.settings.get("axis", -1), call.first.layout.rank
    is_own = call.source.format == "onnx" and call.layer.class_name in ONNX_NORMS
    return rank - axis_of(axis, rank) if is_own else 1


def _over_several(call: Call, count: int) -> Value:
    """Keras normalises over a list of its axes; the vectors have them as the value has."""
    value = apart(call.writer, call.first, call.name)
    order, first = one_by_one(value.layout), value.layout.rank - count
    axes = [axis for axis in order if axis >= first]
    given = {role: tensor for role in ("gamma", "beta") if (tensor := call.tensor(role)) is not None}
    config = {
        "axis": [order.index(axis) for axis in axes],
        "epsilon": float(call.settings["epsilon"]),
        "scale": "gamma" in given,
        "center": "beta" in given,
    }
    shape = _lengths(value, axes, given.values())
    name, number = call.keras("LayerNormalization", config, value)
    pattern = f"{_named(sorted(axes))} -> {_named(axes)}" if axes != sorted(axes) else ""
    for role, tensor in given.items():
        call.weight(name, role, shape, tensor, pattern)
    return value.after(name, number)


def _lengths(value: Value, axes: Sequence[int], given: Iterable[Tensor]) -> tuple[int, ...]:
    shape = tuple(value.layout.source_shape[axis] or 0 for axis in axes)
    stored = {tuple(sorted(shape)), *(tuple(sorted(tensor.shape)) for tensor in given)}
    if 0 in (*axes, *shape) or len(stored) > 1:
        raise Unsupported(f"normalises over the axes {sorted(axes)}, and not all lengths are known and fit")
    return shape


def _named(axes: Sequence[int]) -> str:
    return " ".join(f"a{axis}" for axis in axes)


def _rms_norm(call: Call) -> Value:
    if _axes_behind(call) > 1:
        raise Unsupported(
            "is an RMS normalisation over several axes, for which Keras has no layer of vectors"
        )
    axis, value = _normalised(call)
    if call.tensor("gamma") is None:
        raise Unsupported("is an RMS normalisation without a scale, which Keras's layer always has")
    config = {"axis": place_of(value, axis), "epsilon": float(call.settings["epsilon"])}
    name, number = call.keras("RMSNormalization", config, value)
    return _with_vectors(call, value, axis, name, number)


def _normalised(call: Call) -> tuple[int, Value]:
    """The axis of the source, and the value with it as an axis of Keras's."""
    told, rank = call.settings.get("axis", -1), call.first.layout.rank
    axes = {axis_of(axis, rank) for axis in (told if isinstance(told, tuple) else (told,))}
    if axes not in ({rank - 1}, {1}):
        raise Unsupported(f"normalises over the axes {sorted(axes)}, for which Keras has no layer of vectors")
    axis = axes.pop()
    is_last = axis == rank - 1
    return axis, last_axis(call.writer, call.first, -1, call.name) if is_last else with_axis(call, axis)


def _with_vectors(call: Call, value: Value, axis: int, name: str, number: int) -> Value:
    for role in ("gamma", "beta"):
        tensor = call.tensor(role)
        if tensor is not None:
            put_vector(call, name, role, tensor, value.layout, axis)
    return value.after(name, number)


def _group_norm(call: Call) -> Value:
    """Where the source has cut its channels into groups, its vectors are those of all channels."""
    gamma, beta = call.tensor("gamma"), call.tensor("beta")
    vector, place = gamma or beta, _axis_of_groups(call)
    if place > 1:
        return _of_last_channels(call, place)
    if vector is not None and _is_of_groups(call, vector.size):
        return _of_groups(call)
    if vector is not None and vector.size not in call.first.layout.source_shape[1:]:
        return _of_cut_channels(call, vector.size)
    axis = channel_axis(call)
    value = with_axis(call, axis)
    config = {
        "groups": int(call.settings["groups"]),
        "axis": place_of(value, axis),
        "epsilon": float(call.settings["epsilon"]),
        "scale": gamma is not None,
        "center": beta is not None,
    }
    name, number = call.keras("GroupNormalization", config, value)
    return _with_vectors(call, value, axis, name, number)


def _axis_of_groups(call: Call) -> int:
    """Which axis is kept by means that are over all others, 0 where the layer does not say them."""
    rank, told = call.first.layout.rank, call.settings.get("axis")
    reduced = {axis_of(axis, rank) for axis in told} if isinstance(told, tuple) else set()
    kept = [axis for axis in range(1, rank) if axis not in reduced]
    return kept[0] if reduced and len(kept) == 1 else 0


def _of_last_channels(call: Call, place: int) -> Value:
    """The channels are the groups and all axes behind them: they come last."""
    layout = call.first.layout
    channels = tuple(atom for group in layout.source[place:] for atom in group)
    whole = with_source(layout, (*layout.source[:place], channels))
    told = {"groups": call.settings["groups"], "epsilon": call.settings["epsilon"]}
    layer = replace(call.layer, attributes={**told, "data_format": "channels_last"})
    inner = _group_norm(replace(call, inputs=(call.first.seen(whole),), layer=layer))
    return replace(inner, layout=with_source(inner.layout, layout.source)) if inner.layout == whole else inner


def _is_of_groups(call: Call, size: int) -> bool:
    """Whether a node of ONNX has a number for each group, as before opset 21."""
    channels = call.first.layout.source_shape[1] if call.first.layout.rank > 1 else None
    is_own = call.layer.class_name == "GroupNormalization" and size == call.settings["groups"]
    return is_own and channels is not None and channels > size and not channels % size


def _of_groups(call: Call) -> Value:
    """Each channel gets the numbers of its group; in Keras they are trained apart."""
    value = with_axis(call, 1)
    groups, channels = int(call.settings["groups"]), call.first.layout.source_shape[1] or 1
    config = {"groups": groups, "axis": place_of(value, 1), "epsilon": float(call.settings["epsilon"])}
    name, number = call.keras("GroupNormalization", config, value)
    of_group = [place * groups // channels for place in range(channels)]
    parameters = {"axis": 0, "rows": of_group, "pattern": "o -> o", "o": channels}
    for role in ("gamma", "beta"):
        call.weight(name, role, (channels,), call.needed(role), "rows", parameters)
    call.writer.rewrote(OF_GROUPS, name)
    return value.after(name, number)


def _of_cut_channels(call: Call, size: int) -> Value:
    """The channels are the groups and the first atoms behind them."""
    layout = call.first.layout
    atoms = (*layout.source[1], *(atom for group in layout.source[2:] for atom in group))
    counts = [n for n in range(1, len(atoms) + 1) if layout.length(atoms[:n]) == size]
    if not counts:
        raise Unsupported(f"normalises groups of {size} channels, which its input does not have")
    channels, rest = atoms[: counts[0]], atoms[counts[0] :]
    whole = with_source(layout, (layout.source[0], channels, rest))
    inner = _group_norm(replace(call, inputs=(call.first.seen(whole),)))
    return replace(inner, layout=with_source(inner.layout, layout.source)) if inner.layout == whole else inner


BUILDERS: Mapping[str, Builder] = {
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "GroupNorm": _group_norm,
}
