"""The target's tensors that get no source and were not declared fresh: what WB202 speaks of."""

from weightbridge.boundary.globs import glob
from weightbridge.report.digest.values import Json

SPEAKS_OF_ITSELF = frozenset(
    {"WB201", "WB209", "WB301", "WB303"}
)  # of tensors that are fresh for another reason


def unmatched(report: Json) -> dict[str, list[Json]]:
    """Their steps by layer; nothing where no WB202 is said."""
    if not any(found["code"] == "WB202" for found in report["findings"]):
        return {}
    declared = [glob(text) for text in report["asked"].get("options", {}).get("fresh", ())]
    said = {found["target"] for found in report["findings"] if found["code"] == "WB202"}
    elsewhere = {found["target"] for found in report["findings"] if found["code"] in SPEAKS_OF_ITSELF} - said
    layers: dict[str, list[Json]] = {}
    for step in report["steps"]:
        names = (step["target"], step["layer"])
        is_open = step["kind"] == "fresh" and not step["transform"] and elsewhere.isdisjoint(names)
        if is_open and not any(one.meets(name) for one in declared for name in names):
            layers.setdefault(step["layer"], []).append(step)
    return layers
