"""The parts of a report that text and Markdown share: tables of plain strings, nothing escaped yet.

Repeated blocks are folded.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, prod
from typing import Any, Literal

from weightbridge.report.render.folding import Row, fold
from weightbridge.report.render.summary import percent

Json = Mapping[str, Any]
ColumnKind = Literal["name", "text", "number"]


@dataclass(frozen=True, slots=True)
class Column:
    """name: text that comes from a file and should stay as it is written. number: aligned to the right."""

    title: str
    kind: ColumnKind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """`count`: how many things the rows stand for, folded ones counted."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    count: int


SAME, NONE = "(same name)", "-"  # in place of a source's name
OPTIMIZER = "optimizer"
NAME, SOURCE, COUNT = Column("target", "name"), Column("source", "name"), Column("n", "number")
STEPS = (
    NAME,
    SOURCE,
    Column("how"),
    Column("contract"),
    Column("shape"),
    Column("sure", "number"),
    Column("evidence"),
    COUNT,
)
COMPARED: dict[str, ColumnKind] = {
    **dict.fromkeys(("name", "source", "target"), "name"),
    **dict.fromkeys(("probe", "status"), "text"),
    **dict.fromkeys(
        ("ratio", "ratio_cumulative", "ratio_local", "limit", "nrmse", "floor", "max_abs", "worst_index"),
        "number",
    ),
}


def shown(table: Table) -> Table:
    """The table without columns that say nothing: empty in every row, or a count of one in every row."""
    cells = list(zip(*table.rows, strict=True))
    kept = [
        i
        for i, column in enumerate(cells)
        if any(column) and not (table.columns[i] == COUNT and set(column) == {"1"})
    ]
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in table.rows),
    )


def steps(report: Json) -> Table:
    """Every target tensor: where its value comes from, how, and how sure that is."""
    rows = [
        Row((s["target"], *s["sources"], *s["runners_up"]), (len(s["sources"]), *_step_cells(s)))
        for s in report["steps"]
    ]
    shown = ((one, rows[one.first].details) for one in fold(rows))
    cells = tuple(
        (one.names[0], _origin(one.names, details[0]), *details[1:], str(one.count)) for one, details in shown
    )
    return Table("Steps", STEPS, cells, len(rows))


def unused(report: Json, *, details: bool = False) -> Table:
    """Every source tensor that no step uses, and why; an optimizer's slots are one row without details."""
    entries = report["unused"]
    slots = [] if details else _slots(entries)
    others = ((u["source"], (u["reason"],)) for u in entries if not slots or u["reason"] != OPTIMIZER)
    table = _named("Unused source tensors", (SOURCE, Column("reason"), COUNT), others)
    return _with_slots(table, slots, OPTIMIZER)


def layers(graph: Json) -> Table:
    """The layers of an inspected model."""
    columns = (
        Column("layer", "name"),
        Column("op"),
        Column("output"),
        Column("tensors"),
        Column("parameters", "number"),
        COUNT,
    )
    rows = [
        Row((layer["name"],), (_layer_cells(layer), _frozen(layer["attributes"]), layer["class_name"]))
        for layer in graph["layers"]
    ]
    shown = tuple((one.names[0], *rows[one.first].details[0], str(one.count)) for one in fold(rows))
    return Table("Layers", columns, shown, len(rows))


def excluded(graph: Json) -> Table:
    """What the file stores besides weights; an optimizer's slots are one row."""
    columns = (Column("not a weight", "name"), Column("because it is"), Column("elements", "number"), COUNT)
    slots = _slots(graph["excluded"])
    others = (
        (e["name"], (e["reason"], f"{e['size']:,}"))
        for e in graph["excluded"]
        if not slots or e["reason"] != OPTIMIZER
    )
    elements = sum(e["size"] for e in slots)
    return _with_slots(_named("Excluded", columns, others), slots, OPTIMIZER, f"{elements:,}")


def _slots(entries: Sequence[Json]) -> Sequence[Json]:
    """What belongs to an optimizer, where it is more than one tensor."""
    slots = [entry for entry in entries if entry["reason"] == OPTIMIZER]
    return slots if len(slots) > 1 else []


def _with_slots(table: Table, slots: Sequence[Json], *cells: str) -> Table:
    if not slots:
        return table
    row = ("the optimizer's slots", *cells, str(len(slots)))
    return replace(table, rows=(*table.rows, row), count=table.count + len(slots))


def compared(title: str, records: Sequence[Json]) -> Table:
    """Outputs or layers that were compared: those of the known columns that any record has."""
    keys = [key for key in COMPARED if any(record.get(key) not in (None, "", []) for record in records)]
    columns = tuple(Column(key.replace("_", " "), COMPARED[key]) for key in keys)
    return Table(
        title,
        columns,
        tuple(tuple(said(record.get(key)) for key in keys) for record in records),
        len(records),
    )


def findings(report: Json) -> tuple[tuple[Json, int], ...]:
    """Findings that differ in names alone are one, with patterns as names, and how many it stands for."""
    rows = [
        Row((f["target"], f["source"]), (f["code"], f["severity"], *_templates(f)))
        for f in report["findings"]
    ]
    return tuple((_filled(report["findings"][one.first], one.names), one.count) for one in fold(rows))


def said(value: Any) -> str:
    """A value of the verification as a person reads it."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(map(said, value)) or "none"
        case Mapping():
            return "; ".join(f"{key} {said(one)}" for key, one in value.items()) or "none"
    return str(value)


def dimensions(shape: Iterable[int | None] | None) -> str:
    """`3x3x64`; a scalar is `()`, an unknown length `?`, an unknown shape nothing."""
    return "" if shape is None else "x".join("?" if n is None else str(n) for n in shape) or "()"


def _step_cells(step: Json) -> tuple[str, ...]:
    sure = (
        floor(step["confidence"] * 100 + 1e-9) / 100
    )  # rounded down: 1.00 is said only where there is no other mapping
    return _how(step), step["contract"], dimensions(step["shape"]), f"{sure:.2f}", ", ".join(step["evidence"])


def _how(step: Json) -> str:
    kept = step["energy_kept"]
    parts = (
        f"{step['kind']} {step['transform']}".strip(),
        step["cost"],
        "" if kept is None or kept == 1 or not step["sources"] else f"{percent(kept)} of the energy kept",
    )
    return "; ".join(part for part in parts if part)


def _origin(names: tuple[str, ...], sources: int) -> str:
    """The sources in their folded form, and the runners-up if there are any."""
    given, others = names[1 : 1 + sources], names[1 + sources :]
    text = SAME if given == (names[0],) else ", ".join(given) or NONE
    return f"{text} (or {', '.join(others)})" if others else text


def _layer_cells(layer: Json) -> tuple[str, ...]:
    sizes = [prod(tensor["shape"]) for tensor in layer["tensors"]]
    tensors = ", ".join(map(_tensor, layer["tensors"]))
    return layer["op"], dimensions(layer["output_shape"]), tensors, f"{sum(sizes):,}" if sizes else ""


def _tensor(tensor: Json) -> str:
    dtype = "" if tensor["dtype"] == "float32" else f" {tensor['dtype']}"
    return f"{tensor['role']} {dimensions(tensor['shape'])}{dtype}"


def _named(title: str, columns: tuple[Column, ...], things: Iterable[tuple[str, tuple[str, ...]]]) -> Table:
    rows = [Row((name,), details) for name, details in things]
    shown = tuple((one.names[0], *rows[one.first].details, str(one.count)) for one in fold(rows))
    return Table(title, columns, shown, len(rows))


def _frozen(value: Any) -> Hashable:
    match value:
        case Mapping():
            return tuple(sorted((key, _frozen(one)) for key, one in value.items()))
        case list() | tuple():
            return tuple(map(_frozen, value))
    return repr(value)


def _templates(found: Json) -> tuple[str, str]:
    """Message and fix with marks in place of the finding's own names."""
    texts = [found["message"], found["fix"]]
    for mark, name in (("\1", found["target"]), ("\2", found["source"])):
        texts = [text.replace(name, mark) if name else text for text in texts]
    return texts[0], texts[1]


def _filled(found: Json, names: tuple[str, ...]) -> Json:
    message, fix = (text.replace("\1", names[0]).replace("\2", names[1]) for text in _templates(found))
    return {**found, "target": names[0], "source": names[1], "message": message, "fix": fix}
