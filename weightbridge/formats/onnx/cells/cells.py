"""Recurrent cells that an exporter wrote out in single steps, once or once per time step, as the layer that
they are in Keras's layout.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.formats.onnx.cells.functions import Found, cell_function
from weightbridge.formats.onnx.cells.loops import ACTIVATIONS, GATES
from weightbridge.formats.onnx.cells.steps import Product, Steps, product_of, steps_behind
from weightbridge.formats.onnx.drafts import Draft, Site, Slot

EXITS = frozenset({"Mul", "Add", *ACTIVATIONS})


@dataclass(frozen=True, slots=True)
class Cell:
    """One time step: the values that come out, and which product is whose."""

    steps: Steps
    found: Found
    kernel: Product
    recurrent: Product
    state: str

    @property
    def weights(self) -> tuple[int, int]:
        return id(self.kernel.constant.header), id(self.recurrent.constant.header)

    @property
    def nodes(self) -> tuple[int, ...]:
        return (*(p.node for p in self.steps.products), *self.steps.nodes)


def cell_drafts(site: Site) -> dict[int, Draft]:
    """Drafts of cells by each node they stand for; the time steps of one layer are one draft where nothing
    needs them apart.
    """
    groups: dict[tuple[int, int], list[Cell]] = {}
    for cell in _cells(site):
        groups.setdefault(cell.weights, []).append(cell)
    claimed: dict[int, Draft] = {}
    for cells in groups.values():
        parts = [cells] if _is_one(site, cells) else [[cell] for cell in cells]
        for part in parts:
            claimed.update(dict.fromkeys((n for cell in part for n in cell.nodes), _draft(site, part)))
    return claimed


def _cells(site: Site) -> Iterator[Cell]:
    """The cells in topological order: the state that one leaves is where the walk back from the next one
    ends.
    """
    if not any(p.is_recurrent for n in range(len(site.net.nodes)) if (p := product_of(site, n)) is not None):
        return
    taken: set[int] = set()
    states: dict[str, int] = {}  # what a cell gave out -> its recurrent kernel
    for index, node in enumerate(site.net.nodes):
        if node.op not in EXITS or node.domain:
            continue
        steps = steps_behind(site, index, taken)
        found = cell_function(site, steps) if steps is not None else None
        cell = _cell(site, steps, found, states) if steps is not None and found is not None else None
        if cell is not None:
            taken.update(cell.nodes)
            states.update(dict.fromkeys(cell.found.outputs, id(cell.recurrent.constant.header)))
            yield cell


def _cell(site: Site, steps: Steps, found: Found, states: Mapping[str, int]) -> Cell | None:
    """None where the two kernels cannot be told apart, or where steps inside are read by others."""
    recurrent = found.recurrent or _recurrent(site, steps, found, states)
    if recurrent is None or not _is_closed(site, steps, found):
        return None
    kernel = next(p for p in steps.products if p is not recurrent)
    return Cell(steps, found, kernel, recurrent, recurrent.left)


def _recurrent(site: Site, steps: Steps, found: Found, states: Mapping[str, int]) -> Product | None:
    """The product with the state: the same kernel multiplies what this cell gives out, or what it was given
    by the one before.

    Failing that, in a cell of gates, by its shape, a state that no data reaches, or the state's origin: both
    states have the same.
    """
    hidden = found.outputs[0]
    readers = (product_of(site, n) for n in site.net.consumers.get(hidden, ()))
    read = {id(p.constant.header) for p in readers if p is not None and p.left == hidden}
    fitting = [p for p in steps.products if p.constant.shape == (found.units, p.width)]
    chained = [
        p for p in fitting if id(p.constant.header) in read or states.get(p.left) == id(p.constant.header)
    ]
    if chained or found.op == "RNN":
        return chained[0] if len(chained) == 1 else None
    if len(fitting) == 1:
        return fitting[0]
    still = [p for p in fitting if not site.net.is_data(p.left)]
    if len(still) == 1:
        return still[0]
    origin = _origins(site, steps.states[0]) if steps.states else frozenset()
    beside = [p for p in fitting if origin and _origins(site, p.left) == origin]
    return beside[0] if len(beside) == 1 else None


def _origins(site: Site, value: str) -> frozenset[str]:
    """The model's inputs that a value is computed from."""
    seen, left, found = set[str](), [value], set[str]()
    while left:
        value = left.pop()
        if value in seen or not site.net.is_data(value):
            continue
        seen.add(value)
        index = site.net.producer.get(value)
        if index is None:
            found.add(value)
        else:
            left += site.data(site.net.nodes[index], index)
    return frozenset(found)


def _is_closed(site: Site, steps: Steps, found: Found) -> bool:
    inside = {*steps.nodes, *(p.node for p in steps.products)}
    made = (v for n in inside for v in site.net.nodes[n].outputs if v and v not in found.outputs)
    return all(v not in site.net.outputs and inside.issuperset(site.net.consumers.get(v, ())) for v in made)


def _is_one(site: Site, cells: Sequence[Cell]) -> bool:
    """Whether all that reads one of the steps comes after the last of them."""
    inside = {n for cell in cells for n in cell.nodes}
    readers = (n for cell in cells for v in cell.found.outputs for n in site.net.consumers.get(v, ()))
    return all(n in inside or n > _anchor(site, cells[-1]) for n in readers)


def _anchor(site: Site, cell: Cell) -> int:
    """The first node of those that give something out: all that the cell reads is there by then."""
    return min(site.net.producer[v] for v in cell.found.outputs)


def _draft(site: Site, cells: Sequence[Cell]) -> Draft:
    first, last = cells[0], cells[-1]
    nodes = {n for cell in cells for n in cell.nodes}
    anchor = _anchor(site, last)
    outputs = tuple(v for cell in reversed(cells) for v in cell.found.outputs)
    read = (v for cell in cells for v in (cell.kernel.left, cell.recurrent.left, *cell.steps.states))
    inputs = tuple(dict.fromkeys(v for v in read if site.net.is_data(v) and v not in outputs))
    found: dict[str, Any] = {
        "units": first.found.units,
        "use_bias": bool(first.found.biases),
        "gates": GATES[first.found.op],
    }
    slots = (
        Slot("kernel", first.kernel.constant, "i g"),
        Slot("recurrent_kernel", first.recurrent.constant, "u g"),
        *(Slot(role, constant) for role, constant in first.found.biases),
    )
    attributes = {**found, "weights": "keras", **first.found.attributes}
    return Draft(
        first.found.op,
        first.found.op,
        (*sorted(nodes - {anchor}), anchor),
        inputs,
        outputs,
        outputs[0],
        attributes,
        slots,
    )
