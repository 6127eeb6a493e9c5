"""Tables of words that gain rows, where whatever adapters can do is asked for."""

from collections.abc import Iterator
from dataclasses import replace
from zlib import crc32

from weightbridge.adapters.propose.position_steps import NAMED
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.tables import table_step
from weightbridge.matching.values import LayerPair
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
            yield _step(table, source, pair)


def _grows(source: Tensor, table: Tensor) -> bool:
    return len(source.shape) == len(table.shape) == 2 and source.shape[0] < table.shape[0]


def _step(table: Tensor, source: Tensor, pair: LayerPair) -> Step:
    before, after = source.shape[0], table.shape[0]
    step = table_step(table, source, pair)
    return replace(
        step,
        transform="grown-rows",
        parameters={"seed": crc32(table.name.encode()), **step.parameters},
        cost=f"{before:,} -> {after:,} rows: the first {before:,} kept, the others drawn like them",
    )
