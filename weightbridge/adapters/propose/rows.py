"""Tables of words that gain rows, where whatever adapters can do is asked for."""

from collections.abc import Iterator
from typing import Any
from zlib import crc32

from weightbridge.adapters.propose.position_steps import NAMED
from weightbridge.adapters.propose.setting import Setting
from weightbridge.matching.confidence import LOSSY
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step


def row_steps(setting: Setting) -> Iterator[Step]:
    """An Embedding of more rows than its counterpart's: which rows belong together, only a person knows.

    Nothing where rows would be lost, and for tables of positions.
    """
    if not setting.is_asked:
        return
    for layer in setting.target.layers:
        pair, table = setting.pairs.get(layer.name), layer.tensor("embeddings")
        if layer.op != "Embedding" or pair is None or table is None or NAMED.search(layer.name):
            continue
        source = setting.source.by_name[pair.source].tensor("embeddings")
        if source is not None and table.name in setting.open_targets and _grows(source, table):
            yield _step(setting, layer, table, source)


def _grows(source: Tensor, table: Tensor) -> bool:
    return len(source.shape) == len(table.shape) == 2 and source.shape[0] < table.shape[0]


def _step(setting: Setting, layer: Layer, table: Tensor, source: Tensor) -> Step:
    (before, width), (after, ours) = source.shape, table.shape
    pair = setting.pairs[layer.name]
    parameters: dict[str, Any] = {"seed": crc32(table.name.encode())}
    if width != ours:
        parameters["channels"] = {"rule": "take", "from": (width,), "to": (ours,)}
    return Step(
        target=table.name,
        sources=(source.name,),
        kind="adapt",
        contract="lossy",
        shape=table.shape,
        size=table.size,
        transform="grown-rows",
        parameters=parameters,
        confidence=min(pair.confidence, LOSSY),
        evidence=pair.evidence,
        energy_kept=None,
        cost=f"{before:,} -> {after:,} rows: the first {before:,} kept, the others drawn like them",
    )
