"""Recurrent cells written out in single steps, once or once per time step, as layers of Keras."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.cells.loops import ACTIVATIONS, GATES
from weightbridge.formats.onnx.cells.recognise import CellFunction, cell_function
from weightbridge.formats.onnx.cells.steps import Product, Steps, product_of, steps_behind
from weightbridge.formats.onnx.drafts import Draft, Site, Slot

EXITS = frozenset({"Mul", "Add", *ACTIVATIONS})


@dataclass(frozen=True, slots=True)
class Cell:
    """One time step: what it computes, and which product is whose."""

    steps: Steps
    function: CellFunction
    kernel: Product
    recurrent: Product

    @property
    def weights(self) -> tuple[int, int]:
        return id(self.kernel.constant.header), id(self.recurrent.constant.header)

    @property
    def nodes(self) -> tuple[int, ...]:
        return _nodes(self.steps)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.function.outputs


def _nodes(steps: Steps) -> tuple[int, ...]:
    products = (product.node for product in steps.products)
    return (*products, *steps.nodes)


def cell_drafts(site: Site) -> dict[int, Draft]:
    """Drafts of cells by each node they stand for.

    The time steps of one layer are one draft where nothing needs them apart.
    """
    cells_of_layers: dict[tuple[int, int], list[Cell]] = {}
    for cell in _cells(site):
        cells_of_layers.setdefault(cell.weights, []).append(cell)
    claimed: dict[int, Draft] = {}
    for cells in cells_of_layers.values():
        for part in _parts(site, cells):
            draft = _draft(site, part)
            claimed.update(dict.fromkeys(draft.nodes, draft))
    return claimed


def _parts(site: Site, cells: Sequence[Cell]) -> list[Sequence[Cell]]:
    """The cells that become a draft together."""
    return [cells] if _is_one(site, cells) else [[cell] for cell in cells]


def _cells(site: Site) -> Iterator[Cell]:
    """The cells in topological order.

    The walk back from a cell ends at the state that the one before it left.
    """
    if not _has_recurrent_kernel(site):
        return
    taken: set[int] = set()
    states: dict[str, int] = {}  # what a cell gave out -> its recurrent kernel
    for index, node in enumerate(site.net.nodes):
        if node.op not in EXITS or node.domain:
            continue
        steps = steps_behind(site, index, taken)
        cell = None if steps is None else _cell(site, steps, states)
        if cell is not None:
            taken.update(cell.nodes)
            states.update(dict.fromkeys(cell.outputs, id(cell.recurrent.constant.header)))
            yield cell


def _has_recurrent_kernel(site: Site) -> bool:
    products = (product_of(site, n) for n in range(len(site.net.nodes)))
    return any(product is not None and product.is_recurrent for product in products)


def _cell(site: Site, steps: Steps, states: Mapping[str, int]) -> Cell | None:
    """None where the steps are no cell, its kernels cannot be told apart, or others read inner steps."""
    function = cell_function(site, steps)
    if function is None:
        return None
    recurrent = function.recurrent or _recurrent(site, steps, function, states)
    if recurrent is None or not _is_closed(site, steps, function):
        return None
    kernel = next(product for product in steps.products if product is not recurrent)
    return Cell(steps, function, kernel, recurrent)


def _recurrent(site: Site, steps: Steps, function: CellFunction, states: Mapping[str, int]) -> Product | None:
    """The product with the state.

    The same kernel multiplies what this cell gives out, or what the one before gave it. Failing that, in a
    cell of gates, it is told by its shape, by a state that no data reaches, or by the state's origin: both
    states have the same.
    """
    fitting = [p for p in steps.products if p.constant.shape == (function.units, p.width)]
    next_kernels = _kernels_behind(site, function.outputs[0])
    chained = [p for p in fitting if _is_chained(p, next_kernels, states)]
    if chained or function.op == "RNN":
        return _only(chained)
    if len(fitting) == 1:
        return fitting[0]
    without_data = [p for p in fitting if not site.net.is_data(p.left)]
    return _only(without_data) or _only(_beside_state(site, steps, fitting))


def _only(products: Sequence[Product]) -> Product | None:
    return products[0] if len(products) == 1 else None


def _kernels_behind(site: Site, hidden: str) -> set[int]:
    """The kernels that a state is multiplied with."""
    products = (product_of(site, n) for n in site.net.consumers.get(hidden, ()))
    return {id(p.constant.header) for p in products if p is not None and p.left == hidden}


def _is_chained(product: Product, next_kernels: set[int], states: Mapping[str, int]) -> bool:
    kernel = id(product.constant.header)
    return kernel in next_kernels or states.get(product.left) == kernel


def _beside_state(site: Site, steps: Steps, fitting: Sequence[Product]) -> list[Product]:
    """The products of a value with the same origin as the cell's other state."""
    origin = _origins(site, steps.states[0]) if steps.states else frozenset()
    return [p for p in fitting if origin and _origins(site, p.left) == origin]


def _origins(site: Site, value: str) -> frozenset[str]:
    """The model's inputs that a value is computed from."""
    seen, waiting, origins = set[str](), [value], set[str]()
    while waiting:
        value = waiting.pop()
        if value in seen or not site.net.is_data(value):
            continue
        seen.add(value)
        index = site.net.producer.get(value)
        if index is None:
            origins.add(value)
        else:
            waiting += site.data(site.net.nodes[index], index)
    return frozenset(origins)


def _is_closed(site: Site, steps: Steps, function: CellFunction) -> bool:
    """Whether the cell alone reads what its steps give to each other."""
    inside = set(_nodes(steps))
    outputs = {value for n in inside for value in site.net.nodes[n].outputs if value}
    inner = outputs.difference(function.outputs)
    readers = {n for value in inner for n in site.net.consumers.get(value, ())}
    return inner.isdisjoint(site.net.outputs) and readers <= inside


def _is_one(site: Site, cells: Sequence[Cell]) -> bool:
    """Whether all that reads one of the steps comes after the last of them."""
    inside = {n for cell in cells for n in cell.nodes}
    outputs = [value for cell in cells for value in cell.outputs]
    readers = {n for value in outputs for n in site.net.consumers.get(value, ())}
    anchor = _anchor(site, cells[-1])
    return all(n > anchor for n in readers - inside)


def _anchor(site: Site, cell: Cell) -> int:
    """The first node of those that give something out: all that the cell reads is there by then."""
    return min(site.net.producer[value] for value in cell.outputs)


def _draft(site: Site, cells: Sequence[Cell]) -> Draft:
    first = cells[0]
    function = first.function
    nodes = {n for cell in cells for n in cell.nodes}
    anchor = _anchor(site, cells[-1])
    outputs = tuple(value for cell in reversed(cells) for value in cell.outputs)
    attributes: dict[str, Any] = {
        "units": function.units,
        "use_bias": bool(function.biases),
        "gates": GATES[function.op],
        "weights": "keras",
        **function.attributes,
    }
    slots = (
        Slot("kernel", first.kernel.constant, "i g"),
        Slot("recurrent_kernel", first.recurrent.constant, "u g"),
        *(Slot(role, constant) for role, constant in function.biases),
    )
    draft = Draft(
        op=function.op,
        class_name=function.op,
        nodes=(*sorted(nodes - {anchor}), anchor),
        inputs=_inputs(site, cells, outputs),
        outputs=outputs,
        shown=outputs[0],
        attributes=attributes,
        slots=slots,
    )
    return draft if len(cells) > 1 else _with_states(draft, first)


def _with_states(draft: Draft, cell: Cell) -> Draft:
    """A single step: which of its inputs and outputs are states, by the ports of ONNX's node."""
    states = (cell.recurrent.left, *cell.steps.states)
    names = {value: f"initial_state.{n}" for n, value in enumerate(states)}
    return replace(
        draft,
        keywords=tuple(names.get(value, "") for value in draft.inputs),
        ports=tuple(range(1, len(draft.outputs) + 1)),
        details={"steps": 1},
    )


def _inputs(site: Site, cells: Sequence[Cell], outputs: tuple[str, ...]) -> tuple[str, ...]:
    """The data that the cells read, but for what one hands to the next."""
    read: list[str] = []
    for cell in cells:
        read += (cell.kernel.left, cell.recurrent.left, *cell.steps.states)
    data = (value for value in read if site.net.is_data(value) and value not in outputs)
    return tuple(dict.fromkeys(data))
