"""Which tensors are position embeddings of another grid, and their steps."""

import re
from collections.abc import Iterator
from dataclasses import replace

from weightbridge.adapters.apply.positions import grids
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.tables import table_step
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step

NAMED = re.compile(r"(^|[^a-z])pos(ition|itional)?(s)?([^a-z]|emb|enc|$)", re.IGNORECASE)


def position_steps(setting: Setting) -> Iterator[Step]:
    """Learned tables (1, N, D) or (N, D) of another number of places, a square grid on both sides."""
    tables = setting.source.tensor_by_name
    source_of = {target: source for source, target in setting.matching.misfits}
    for tensor in setting.target.tensors:
        source = tables.get(source_of.get(tensor.name, ""))
        layer = setting.target.owner[tensor.name]
        if source is None or tensor.name not in setting.open_targets or not _is_table(layer, tensor, source):
            continue
        step = _step(setting, layer, tensor, source)
        if step is not None:
            yield step


def _is_table(layer: Layer, tensor: Tensor, source: Tensor) -> bool:
    shapes = tensor.shape, source.shape
    flat = all(len(s) == 2 or (len(s) == 3 and s[0] == 1) for s in shapes)
    return flat and bool(NAMED.search(tensor.name) or NAMED.search(layer.class_name))


def _step(setting: Setting, layer: Layer, tensor: Tensor, source: Tensor) -> Step | None:
    before, after = source.shape[-2], tensor.shape[-2]
    found = grids(before, after)
    if found is None or before == after:
        return None
    prefix, low, high = found
    step = table_step(tensor, source, setting.pairs.get(layer.name))
    return replace(
        step,
        transform="resize-positions",
        parameters={"prefix": prefix, "from": (low, low), "to": (high, high), **step.parameters},
        cost=f"{low} x {low} -> {high} x {high} positions, bicubic",
    )
