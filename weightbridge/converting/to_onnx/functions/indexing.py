"""x[...]: slices, single places, new axes."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.to_onnx.arrange import as_keras, with_ones
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.functions.slices import END, sliced
from weightbridge.converting.to_onnx.layers.reductions import without
from weightbridge.converting.to_onnx.values import Value


def _item(call: Call) -> Value:
    told = call.settings.get("arguments", ())
    keywords = call.settings.get("keywords", {})
    key = told[1] if len(told) > 1 else keywords.get("key", keywords.get("slice_spec"))
    key = tuple(map(_part, key if isinstance(key, tuple) else (key,)))
    parts = _whole(call, [part for part in key if part is not None], call.first.rank)
    value = as_keras(call.writer, call.first)
    value = _cut(call, value, parts)
    axes = [axis for axis, part in enumerate(parts) if isinstance(part, int)]
    value = without(value, call.writer.squeezed(value.name, axes), set(axes)) if axes else value
    places = _new_axes(key, call.first.rank)
    return with_ones(call.writer, value, places) if places else value


def _new_axes(key: Sequence[Any], rank: int) -> list[int]:
    """Where the axes stand that None asks for."""
    missing = rank - sum(part != "..." and part is not None for part in key)
    places, place = [], 0
    for part in key:
        if part is None:
            places.append(place)
        if not isinstance(part, int):
            place += missing if part == "..." else 1
    return places


def _part(part: Any) -> Any:
    """tf.keras writes a slice by the names of its ends."""
    if isinstance(part, Mapping) and part.keys() == {"start", "stop", "step"}:
        return {"slice": (part["start"], part["stop"], part["step"])}
    return part


def _whole(call: Call, key: Sequence[Any], rank: int) -> list[Any]:
    """One part for each axis: an ellipsis, and what is not said, are whole axes."""
    if not all(map(_is_known, key)):
        raise call.refused("is indexed by something else than numbers and slices")
    missing = rank - sum(part != "..." for part in key)
    everything = {"slice": (None, None, None)}
    parts: list[Any] = []
    for part in key:
        parts += [everything] * missing if part == "..." else [part]
    return [*parts, *[everything] * (rank - len(parts))]


def _is_known(part: Any) -> bool:
    if isinstance(part, Mapping) and part.keys() == {"slice"}:
        return all(n is None or isinstance(n, int) for n in part["slice"])
    return part == "..." or (isinstance(part, int) and not isinstance(part, bool))


def _cut(call: Call, value: Value, parts: Sequence[Any]) -> Value:
    runs = {axis: _run(part) for axis, part in enumerate(parts)}
    runs = {axis: run for axis, run in runs.items() if run != (0, END, 1)}
    if not runs:
        return value
    starts, ends, steps = zip(*runs.values(), strict=True)
    name = sliced(call.writer, value.name, starts, ends, list(runs), steps)
    shape = tuple(_length(n, runs.get(axis, (0, END, 1))) for axis, n in enumerate(value.shape))
    return value.named(name, shape=shape, mask=None)


def _run(part: Any) -> tuple[int, int, int]:
    if isinstance(part, int):
        return part, part + 1 if part != -1 else END, 1
    start, stop, step = part["slice"]
    step = 1 if step is None else step
    first, last = (0, END) if step > 0 else (-1, -END)
    return first if start is None else start, last if stop is None else stop, step


def _length(length: int | None, run: tuple[int, int, int]) -> int | None:
    if length is None:
        return None
    start, stop, step = run
    bounds = (None if stop == -END else stop) if step < 0 else stop
    return len(range(length)[slice(start, bounds, step)])


OPERATIONS: Mapping[str, Builder] = {"GetItem": _item}
