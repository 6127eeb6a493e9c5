"""Products of two values, matrix by matrix."""

from collections.abc import Mapping

from weightbridge.converting.from_graph.arrange import arranged, as_source
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Group, Groups, Layout, Length, plain
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def _matmul(call: Call) -> Value:
    """The matrices are the last two axes; all before them are held by Keras as the left one has them.

    An axis that is the batch and heads in one (torch's attention) stays two of Keras's.
    """
    if len(call.inputs) != 2:
        raise Unsupported("is a product with a constant that is no matrix of a Dense layer")
    left, right = call.inputs
    if _outer(left.layout) != _outer(right.layout):
        return _repeated(call, left, right)
    stack = _stack(left.layout)
    left, right = (
        arranged(call.writer, value, _wanted(value.layout, stack), call.name) for value in (left, right)
    )
    name = call.writer.operation("numpy.Matmul", call.name, {}, [left, right])
    return Value(name, 0, 0, _product(left.layout, right.layout, stack), left.dtype)


def _repeated(call: Call, left: Value, right: Value) -> Value:
    """Outer axes that the source cut differently, or that one value repeats: each as the source has it."""
    left, right = (as_source(call.writer, value, call.name) for value in (left, right))
    outer, other = (value.layout.source_shape[:-2] for value in (left, right))
    if len(outer) != len(other) or not all(map(_fit, outer, other)):
        raise Unsupported("is a product of values whose outer axes differ")
    name = call.writer.operation("numpy.Matmul", call.name, {}, [left, right])
    shape = [b if a == 1 else a for a, b in zip(outer, other, strict=True)]
    rows, columns = left.layout.source_shape[-2], right.layout.source_shape[-1]
    return Value(name, 0, 0, plain([*shape, rows, columns]), left.dtype)


def _fit(one: Length, other: Length) -> bool:
    return one == other or 1 in (one, other)


def _outer(layout: Layout) -> tuple[tuple[int, ...], tuple[Length, ...]]:
    """How the axes before the matrices are cut, and the lengths of their pieces."""
    groups = layout.source[:-2]
    return tuple(len(group) for group in groups), tuple(layout.lengths[a] for group in groups for a in group)


def _stack(layout: Layout) -> Group:
    """The atoms before the matrices, in the order in which Keras has them."""
    outer = {atom for group in layout.source[:-2] for atom in group}
    return tuple(atom for group in layout.keras for atom in group if atom in outer)


def _wanted(layout: Layout, stack: Group) -> Groups:
    return (*((atom,) for atom in stack), layout.source[-2], layout.source[-1])


def _product(left: Layout, right: Layout, stack: Group) -> Layout:
    """Rows of the left, columns of the right; the atoms before them have the same numbers in both."""
    count = len(stack)
    rows, columns = left.length(left.source[-2]), right.length(right.source[-1])
    lengths: list[Length] = list(left.lengths[:count])
    groups: list[Group] = []
    for length in (rows, columns):
        groups.append(() if length == 1 else (len(lengths),))
        lengths += [] if length == 1 else [length]
    source = (*left.source[:-2], *groups)
    return Layout(tuple(lengths), source, (*((atom,) for atom in stack), *groups))


BUILDERS: Mapping[str, Builder] = {"MatMul": _matmul}
CLASSES: Mapping[str, Builder] = {"MatMul": _matmul}
