"""What gives one number for a whole axis: sums, means, norms, the place of the largest."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Layout, Length, axis_of, plain
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

# by the source's class: what is done before, the reduction, what is done after
STEPS: Mapping[str, tuple[str, ...]] = {
    "ReduceMean": ("numpy.Mean",), "ReduceSum": ("numpy.Sum",), "ReduceMax": ("numpy.Max",),
    "ReduceMin": ("numpy.Min",), "ReduceProd": ("numpy.Prod",), "ReduceLogSumExp": ("math.Logsumexp",),
    "ReduceL1": ("numpy.Absolute", "numpy.Sum"), "ReduceSumSquare": ("numpy.Square", "numpy.Sum"),
    "ReduceL2": ("numpy.Square", "numpy.Sum", "numpy.Sqrt"), "ReduceLogSum": ("numpy.Sum", "numpy.Log"),
    "Any": ("numpy.Any",), "All": ("numpy.All",),
}  # fmt: skip
REDUCING = frozenset(paths[0] for paths in STEPS.values() if len(paths) == 1)
PLACES = {"ArgMax": "numpy.Argmax", "ArgMin": "numpy.Argmin"}
MOST_OF_NORM = 2  # axes that Keras's norm takes
SMALLEST_NORM = 1e-12  # below which Keras divides by this


def reduced(call: Call) -> Value:
    settings = call.settings
    axes = _axes(settings, call.first.layout.rank)
    if not axes:
        return call.first
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    if order[0] in axes:
        raise Unsupported("joins the items of a batch")
    keeps = bool(settings.get("keepdims", True))
    config = {"axis": sorted(order.index(axis) for axis in axes), "keepdims": keeps}
    layout = _reduced_layout(value.layout, order, axes, keeps=keeps)
    steps = _steps(call.layer.class_name, config)
    for path, told in steps:
        is_last = path == steps[-1][0]
        hint = call.name if is_last else f"{call.name}_{path.partition('.')[2].lower()}"
        value = value.after(call.writer.operation(path, hint, told, [value]))
    return value.seen(layout)


def _axes(settings: Mapping[str, Any], rank: int) -> set[int]:
    """The source's axes, all where none are told; none where ONNX says that this means none."""
    told = settings.get("axes")
    given = told if isinstance(told, tuple) else (told,)
    axes = {axis_of(axis, rank) for axis in given if axis is not None}
    return axes if axes or settings.get("noop_with_empty_axes") else set(range(rank))


def _steps(name: str, config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Keras's operations with their settings."""
    if name == "ReduceL2" and len(config["axis"]) <= MOST_OF_NORM:
        return [("linalg.Norm", {"ord": None, **config})]
    return [(path, config if path in REDUCING else {}) for path in STEPS[name]]


def _reduced_layout(layout: Layout, order: Sequence[int], axes: set[int], *, keeps: bool) -> Layout:
    shape: list[Length] = [1 if n in axes else length for n, length in enumerate(layout.source_shape)]
    if keeps:
        return plain(shape, order)
    left = [axis for axis in range(len(shape)) if axis not in axes]
    return plain([shape[axis] for axis in left], [left.index(axis) for axis in order if axis not in axes])


def _place_of_most(call: Call) -> Value:
    """Which place along an axis has the largest or the smallest number, the first of several."""
    settings = call.settings
    if settings.get("select_last_index"):
        raise Unsupported("takes the last of several equal numbers, and Keras's operation the first")
    value = apart(call.writer, call.first, call.name)
    order, axis = one_by_one(value.layout), value.layout.axis(int(settings.get("axis", 0)))
    if order[0] == axis:
        raise Unsupported("joins the items of a batch")
    keeps = bool(settings.get("keepdims", True))
    config = {"axis": order.index(axis), "keepdims": keeps}
    name = call.writer.operation(PLACES[call.layer.class_name], call.name, config, [value])
    return Value(name, 0, 0, _reduced_layout(value.layout, order, {axis}, keeps=keeps), "int32")


def _unit(call: Call) -> Value:
    """Divided by its norm along an axis, as LpNormalization says."""
    settings = call.settings
    value = apart(call.writer, call.first, call.name)
    order, axis = one_by_one(value.layout), value.layout.axis(int(settings.get("axis", -1)))
    place = order.index(axis)
    if not place:
        raise Unsupported("joins the items of a batch")
    if int(settings.get("p", 2)) == 2:
        return value.after(call.writer.layer("UnitNormalization", call.name, {"axis": place}, value))
    config = {"axis": place, "order": int(settings["p"]), "epsilon": SMALLEST_NORM}
    return value.after(call.writer.operation("nn.Normalize", call.name, config, [value]))


CLASSES: Mapping[str, Builder] = {
    **dict.fromkeys(STEPS, reduced),
    **dict.fromkeys(PLACES, _place_of_most),
    "LpNormalization": _unit,
}
