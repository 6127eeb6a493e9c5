"""Values by the numbers of their places, sums that an equation says, and triangles of a matrix."""

from collections.abc import Mapping, Sequence

from weightbridge.converting.from_graph.arrange import as_source, in_order, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.merging import aligned
from weightbridge.converting.from_graph.layout import Group, Layout, Length, plain
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def _one_hot(call: Call) -> Value:
    settings, layout = call.settings, call.first.layout
    depth, numbers = settings.get("depth"), settings.get("values")
    if not isinstance(depth, int) or not isinstance(numbers, tuple) or len(numbers) != 2:
        raise Unsupported("has a number of classes that does not follow from the file")
    if int(settings.get("axis", -1)) not in (-1, layout.rank):
        raise Unsupported("puts its classes before other axes")
    name = call.writer.operation(
        "nn.OneHot", call.name, {"num_classes": depth, "dtype": "float32"}, [call.first]
    )
    group: Group = (len(layout.lengths),) if depth != 1 else ()
    lengths = (*layout.lengths, *((depth,) if group else ()))
    value = Value(name, 0, 0, Layout(lengths, (*layout.source, group), (*layout.keras, group)))
    off, on = (float(number) for number in numbers)
    if (off, on) == (0.0, 1.0):
        return value
    config = {"scale": on - off, "offset": off}
    return value.after(call.writer.layer("Rescaling", f"{call.name}_values", config, value))


def _along_axis(call: Call) -> Value:
    """GatherElements: each item has places of its own."""
    if len(call.inputs) != 2:
        raise Unsupported(
            "picks elements by places that are the same for every item, for which Keras has nothing"
        )
    data, places = aligned(call.writer, call.inputs, call.name)
    order = one_by_one(data.layout)
    axis = data.layout.axis(int(call.settings.get("axis", 0)))
    if order[0] == axis:
        raise Unsupported("picks items of the batch")
    config = {"axis": order.index(axis)}
    name = call.writer.operation("numpy.TakeAlongAxis", call.name, config, [data, places])
    return Value(name, 0, 0, places.layout, data.dtype)


def _einsum(call: Call) -> Value:
    """The source's own equation, on the source's own axes; the batch stays the first of all."""
    equation = str(call.settings.get("equation", "")).replace(" ", "")
    fed, _, made = equation.partition("->")
    terms = fed.split(",")
    values = [as_source(call.writer, value, call.name) for value in call.inputs]
    _refuse_other_sums(equation, [value.layout.rank for value in values])
    sizes: dict[str, Length] = {}
    for term, value in zip(terms, values, strict=True):
        sizes |= {letter: n for letter, n in zip(term, value.layout.source_shape, strict=True) if n != 1}
    dot = _as_dot(call, equation, values)
    if dot is not None:
        return dot
    name = call.writer.operation("numpy.Einsum", call.name, {"subscripts": equation}, values)
    shape = [None, *(sizes.get(letter, 1) for letter in made[1:])]
    return Value(name, 0, 0, plain(shape, range(len(shape))), call.first.dtype)


def _as_dot(call: Call, equation: str, values: Sequence[Value]) -> Value | None:
    """The sum over one axis that two values have, item by item; of two vectors Keras keeps an axis."""
    fed, _, made = equation.partition("->")
    first, _, second = fed.partition(",")
    summed = _summed(first, second, made) if len(values) == 2 else ""
    if not summed:
        return None
    axes = [term.index(summed) for term in (first, second)]
    name = call.writer.layer("Dot", call.name, {"axes": axes, "normalize": False}, values)
    one, other = (value.layout.source_shape for value in values)
    lengths = dict(zip(first + second, (*one, *other), strict=True))
    layout = plain([None, *(lengths[letter] for letter in made[1:])])
    keras = layout.keras if len(made) > 1 else (*layout.keras, ())
    return Value(name, 0, 0, Layout(layout.lengths, layout.source, keras), values[0].dtype)


def _summed(first: str, second: str, made: str) -> str:
    """The one letter that is in both terms and gone, where all others stay in order; "" for other sums."""
    summed = [letter for letter in first[1:] if letter in second[1:]]
    if len(summed) != 1 or len(made) > 3 or len(set(first)) != len(first) or len(set(second)) != len(second):
        return ""
    rest = [letter for letter in (*first, *second[1:]) if letter != summed[0]]
    return summed[0] if list(made) == rest else ""


def _refuse_other_sums(equation: str, ranks: Sequence[int]) -> None:
    """Raises Unsupported where it is not written out, does not fit, or joins the batch with other axes."""
    fed, _, made = equation.partition("->")
    terms = fed.split(",")
    if "." in equation or not made or [len(term) for term in terms] != list(ranks):
        raise Unsupported(f"is the sum {equation}, which is not written out, or does not fit its operands")
    if {term[:1] for term in terms} != {made[:1]}:
        raise Unsupported(f"is the sum {equation}, which joins the batch with other axes")


def _triangle(call: Call) -> Value:
    """Trilu: of the last two axes."""
    value = as_source(call.writer, call.first, call.name)
    k = call.settings.get("k", 0)
    if not isinstance(k, int) or value.layout.rank < 3:
        raise Unsupported("keeps a triangle that does not follow from the file")
    path = "numpy.Triu" if call.settings.get("upper", True) else "numpy.Tril"
    return value.after(call.writer.operation(path, call.name, {"k": k}, [value]))


def _most(call: Call) -> tuple[Value, Value]:
    """The largest of the last axis and their places; the smallest are the largest of the negative."""
    k, layout = call.settings.get("k"), call.first.layout
    if not isinstance(k, int) or k < 1:
        raise Unsupported("takes so many of the largest numbers as does not follow from the file")
    axis = layout.axis(int(call.settings.get("axis", -1)))
    order = [*(n for n in range(layout.rank) if n != axis), axis]
    value = in_order(call.writer, call.first, order, call.name)
    is_largest = bool(call.settings.get("largest", True))
    if not is_largest:
        value = value.after(call.writer.operation("numpy.Negative", f"{call.name}_negative", {}, [value]))
    name = call.writer.operation("math.TopK", call.name, {"k": k, "sorted": True}, [value])
    shape = list(layout.source_shape)
    shape[axis] = k
    made = plain(shape, order)
    values = Value(name, 0, 0, made, value.dtype)
    if not is_largest:
        values = values.after(call.writer.operation("numpy.Negative", f"{call.name}_smallest", {}, [values]))
    return values, Value(name, 0, 1, made, "int32")


CLASSES: Mapping[str, Builder] = {
    "OneHot": _one_hot,
    "Einsum": _einsum,
    "Trilu": _triangle,
    "TopK": _most,
}
SLICES: Mapping[str, Builder] = {"GatherElements": _along_axis}
