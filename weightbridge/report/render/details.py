"""`--details`: the tables behind a report's digest, with every target tensor and every finding in full.

Names whose counters run in step are one row.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from weightbridge.report.digest.folding import Row, fold
from weightbridge.report.render.columns import Column, ColumnKind, Table, lines, widths
from weightbridge.report.render.layout import BLANK, Line, line, wrapped
from weightbridge.report.words import dimensions, how, said, sure

Json = Mapping[str, Any]
EVERYTHING = "all"
WIDTH = 120
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
# The steps that a code speaks of.
SPOKEN_OF: dict[str, Callable[[Json], bool]] = {
    "WB202": lambda step: step["kind"] == "fresh",
    "WB204": lambda step: bool(step["runners_up"]),
    "WB302": lambda step: step["contract"] == "lossy",
}
COMPARED: dict[str, ColumnKind] = {
    **dict.fromkeys(("name", "source", "target"), "name"),
    **dict.fromkeys(("probe", "status"), "text"),
    **dict.fromkeys(
        ("ratio", "ratio_cumulative", "ratio_local", "limit", "nrmse", "floor", "max_abs", "worst_index"),
        "number",
    ),
}


def details(report: Json, width: int, asked: str) -> Iterator[Line]:
    """What was asked for: everything, or the findings of one code in full."""
    codes = {found["code"] for found in report["findings"]}
    yield from _findings(report, codes if asked == EVERYTHING else {asked}, width)
    yield from table_lines(tables(report) if asked == EVERYTHING else _tables_of(report, asked), width)


def table_lines(several: Iterable[Table], width: int) -> Iterator[Line]:
    for table in several:
        yield from _table(table, width)


def render_tables(shown_tables: Iterable[Table], width: int = WIDTH) -> str:
    """Tables alone, of a fixed width."""
    made = table_lines(shown_tables, width)
    texts = ("".join(text for text, _ in one).rstrip() for one in made)
    return "\n".join(texts).lstrip("\n") + "\n"


def graph_tables(report: Json) -> tuple[Table, ...]:
    """The layers of an inspected model."""
    graph = report.get("graph")
    return () if graph is None else (layers(graph), excluded(graph))


def tables(report: Json) -> tuple[Table, ...]:
    """Outputs and layers that were compared, steps, and what is left over."""
    verification = report["verification"]
    return (
        compared("Outputs compared", verification["outputs"]),
        compared("Layers compared", verification["layers"]),
        steps(report),
        unused(report),
    )


def _tables_of(report: Json, code: str) -> tuple[Table, ...]:
    """The rows of the tables that the code speaks of."""
    if code == "WB203":
        entries = [entry for entry in report["unused"] if entry["reason"] == "unexplained"]
        return (unused({**report, "unused": entries}),)
    if code not in SPOKEN_OF:
        return ()
    return (steps({**report, "steps": list(filter(SPOKEN_OF[code], report["steps"]))}),)


def _findings(report: Json, codes: Iterable[str], width: int) -> Iterator[Line]:
    chosen = [found for found in report["findings"] if found["code"] in codes]
    if not chosen:
        return
    yield BLANK
    yield line(f"Findings ({len(chosen):,})", "bold")
    for found in chosen:
        place = " <- ".join(name for name in (found["target"], found["source"]) if name)
        head = f"{found['severity']} {found['code']} {found['name']}"
        yield from wrapped(f"{head}: {place}" if place else head, width, 0, 4)
        yield from wrapped(found["message"], width, 4, 4)
        if found["fix"]:
            yield from wrapped(f"-> {found['fix']}", width, 4, 7, "italic")


def _table(table: Table, width: int) -> Iterator[Line]:
    if not table.rows:
        return
    table = shown(table)
    head, *body = lines(table, widths(table, width), len(table.rows))
    yield BLANK
    yield line(f"{table.title} ({table.count:,})", "bold")
    yield line(head, "bold")
    yield from map(line, body)


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


def unused(report: Json) -> Table:
    """Every source tensor that no step uses, and why."""
    entries = ((entry["source"], (entry["reason"],)) for entry in report["unused"])
    return _named("Unused source tensors", (SOURCE, Column("reason"), COUNT), entries)


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


def _step_cells(step: Json) -> tuple[str, ...]:
    return how(step), step["contract"], dimensions(step["shape"]), sure(step), ", ".join(step["evidence"])


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
