"""The stages and the layers of a digest: rows for the tables that say where the target's values come from."""

from collections.abc import Iterable, Sequence

from weightbridge.report.digest.folding import Row, fold
from weightbridge.report.digest.values import Json, LayerRow, StageRow
from weightbridge.report.stages import WORST
from weightbridge.report.words import counted

MOST = 2000  # layers that are folded for a table of a dozen rows
OTHERS = "others"
SAME = "same name"
HOW = {
    "copy": "copied",
    "transform": "transformed exactly",
    "adapt": "adapted",
    "fresh": "fresh",
    "keep": "the target's own",
}


def stages(report: Json) -> tuple[StageRow, ...]:
    """Where the target is adapted stage by stage: its stages, and in a last row what stands outside them."""
    is_staged = any("stage" in step["evidence"] for step in report["steps"])
    if not is_staged or report["command"] == "verify":
        return ()
    rows = tuple(_stage(entry) for entry in report.get("stages", ()))
    return (*rows, *_outside(report["steps"])) if rows else ()


def layer_rows(report: Json) -> tuple[LayerRow, ...]:
    """Every target layer with a tensor, folded where names run in step; none where they are very many."""
    layers: dict[str, list[Json]] = {}
    for step in report["steps"]:
        layers.setdefault(step["layer"], []).append(step)
    if len(layers) > MOST:
        return ()
    rows = [Row((name, *_sources(steps)), _how(steps)) for name, steps in layers.items()]
    return tuple(
        LayerRow(one.names[0], one.names[1:], str(rows[one.first].details), one.count) for one in fold(rows)
    )


def _stage(entry: Json) -> StageRow:
    first, last = entry["target"]
    return StageRow(
        stage=entry["stage"],
        layers=entry["target_layers"],
        first=first,
        last=last,
        source_layers=entry["source_layers"],
        source_at=tuple(entry["source_at"]),
        parameters=entry["parameters"],
        contract=entry["contract"],
        energy_kept=entry["energy_kept"],
    )


def _outside(steps: Sequence[Json]) -> tuple[StageRow, ...]:
    """Layers without a grid that have a source, such as a head."""
    mine = [step for step in steps if step["stage"] is None and step["sources"]]
    if not mine:
        return ()
    targets = dict.fromkeys(step["layer"] for step in mine)
    sources = dict.fromkeys(name for step in mine for name in step["source_layers"])
    contract = min((step["contract"] for step in mine), key=WORST.index)
    label = SAME if set(targets) == set(sources) else OTHERS
    names, size = list(targets), sum(step["size"] for step in mine)
    return (StageRow(label, len(names), names[0], names[-1], len(sources), (), size, contract, None),)


def _sources(steps: Iterable[Json]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for step in steps for name in step["source_layers"]))


def _how(steps: Sequence[Json]) -> str:
    """`copied, 4 tensors`; what an adapter costs stands behind it."""
    kinds = dict.fromkeys(HOW[step["kind"]] for step in steps)
    costs = dict.fromkeys(step["cost"] for step in steps if step["cost"])
    number = counted(len(steps), "tensor")
    return f"{' and '.join(kinds)}, {number}" + "".join(f"; {cost}" for cost in costs)
