"""nn.EmbeddingBag of rows of equal length, while it is exported: a look-up and a sum, a mean or a maximum.

torch's exporters write a loop over the items, which ONNX's readers cannot undo. What it computes is the same:
the converted model is compared with the module itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any

import torch
from torch.nn import functional


@contextmanager
def plain_bags() -> Iterator[None]:
    own = functional.embedding_bag
    parameters = signature(own)

    @wraps(own)
    def bag(*args: Any, **kwargs: Any) -> Any:
        told = parameters.bind(*args, **kwargs)
        told.apply_defaults()
        made = _looked_up(told.arguments)
        return own(*args, **kwargs) if made is None else made

    functional.embedding_bag = bag
    try:
        yield
    finally:
        functional.embedding_bag = own


def _looked_up(told: dict[str, Any]) -> Any:
    """None where bags differ in length, or are limited by a norm."""
    numbers, padding = told["input"], told["padding_idx"]
    is_plain = numbers.dim() == 2 and told["offsets"] is None and told["max_norm"] is None
    if not is_plain or (padding is not None and told["mode"] == "max"):
        return None
    rows, weights = functional.embedding(numbers, told["weight"]), told["per_sample_weights"]
    rows = rows if weights is None else rows * weights.unsqueeze(-1)
    if padding is not None:
        kept = (numbers != padding).to(rows.dtype).unsqueeze(-1)
        total = (rows * kept).sum(1)
        return total / kept.sum(1).clamp(min=1) if told["mode"] == "mean" else total
    return {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}[told["mode"]](rows, dim=1)
