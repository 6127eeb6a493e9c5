"""What of a module acts in training alone and does not come along: said, WB407."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.torch.modules.dropout import RECURRENT, Dropouts

SHOWN = 10
FIX = "put Dropout layers in where you train it again"


def without_dropout(module: Any, put: Dropouts | None) -> Iterator[Finding]:
    """put: those that the file has; None where it has none."""
    names = [name or "the module" for name, part in module.named_modules() if _drops(part, put)]
    if names:
        message = f"dropout acts in training alone and is not exported: {listed(names, SHOWN)}"
        yield finding("WB407", message, source=names[0], fix=FIX)
    if put is not None and put.is_random:
        message = "it draws random numbers in training alone, which is not exported (stochastic depth?)"
        yield finding("WB407", message, fix="build that step in Keras where you train it again")


def without_weights(module: Any, tensors: Iterable[str]) -> Iterator[Finding]:
    """Parameters that are none of the file's tensors, nor rows of one: numbers by now, or not used."""
    whole = {name.partition("[")[0] for name in tensors}
    names = [name for name, one in module.named_parameters() if one.requires_grad and name not in whole]
    if names:
        message = (
            f"parameters that become fixed numbers, or that forward does not use: {listed(names, SHOWN)}"
        )
        yield finding("WB407", message, source=names[0], fix="give them an axis, or leave them out")


def _drops(part: Any, put: Dropouts | None) -> bool:
    """Whether a part drops values in training, and the file does not say it."""
    is_own = isinstance(part, torch.nn.modules.dropout._DropoutNd) and part.p > 0
    if put is not None:  # those of whole channels it cannot say
        return is_own and type(part) is not torch.nn.Dropout
    return is_own or (isinstance(part, (*RECURRENT, torch.nn.MultiheadAttention)) and bool(part.dropout))
