"""Steps of tables (.., rows, width) that get other rows: what those of positions and of words share."""

from typing import Any

from weightbridge.matching.confidence import LOSSY
from weightbridge.matching.values import LayerPair
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step


def table_step(table: Tensor, source: Tensor, pair: LayerPair | None) -> Step:
    """A lossy step of the table without its transform; another width takes or repeats channels."""
    width, ours = source.shape[-1], table.shape[-1]
    channels: dict[str, Any] = {"rule": "take", "from": (width,), "to": (ours,)}
    return Step(
        target=table.name,
        sources=(source.name,),
        kind="adapt",
        contract="lossy",
        shape=table.shape,
        size=table.size,
        parameters={"channels": channels} if width != ours else {},
        confidence=min(pair.confidence, LOSSY) if pair else LOSSY,
        evidence=pair.evidence if pair else ("shape",),
        energy_kept=None,
    )
