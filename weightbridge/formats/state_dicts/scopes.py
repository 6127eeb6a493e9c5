"""Names of a state dict: the scope that is a layer, and the part that is a tensor of it."""

import re
from collections.abc import Collection, Sequence

from weightbridge.formats.state_dicts.keras_layers import FLAX_ROLES, KERAS_ROLES
from weightbridge.formats.state_dicts.recurrent import RECURRENT

SEPARATORS = re.compile(r"[./]")
COLLECTIONS = frozenset({"params", "batch_stats"})  # in which Flax keeps a layer's tensors apart
MATRICES = frozenset({"kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "embeddings"})
JOINED = re.compile(  # `conv1_weight`: a name without separators
    r"(.+)_(weight|bias|kernel|gamma|beta|running_mean|running_var|moving_mean|moving_var(?:iance)?)$"
)
TORCH_PARTS = frozenset(
    {"weight", "bias", "running_mean", "running_var", "in_proj_weight", "in_proj_bias", "num_batches_tracked"}
)


def framework_of(names: Sequence[str], ranks: Sequence[int]) -> str:
    """`keras` where the matrices are called as in Keras and Flax (`layer/kernel`), else `torch`."""
    parts = [part_of(name) for name in names]
    matrices = [part for part, rank in zip(parts, ranks, strict=True) if rank > 1]
    if matrices:
        return _framework([FLAX_ROLES.get(part, part) in MATRICES for part in matrices])
    return _framework([part_of(name) in KERAS_ROLES for name in names if "/" in name])


def _framework(of_keras: Sequence[bool]) -> str:
    return "keras" if sum(of_keras) * 2 > len(of_keras) else "torch"


def part_of(name: str) -> str:
    """`encoder/0/query/kernel` -> kernel."""
    return SEPARATORS.split(name)[-1]


def scope_and_part(name: str, collections: Collection[str]) -> tuple[str, str]:
    """`encoder/0/query/kernel` -> (encoder/0/query, kernel); `w1` -> (w1, w1), a layer of its own.

    collections: those of Flax that the file has; `params/bn` and `batch_stats/bn` are one layer.
    """
    part = part_of(name)
    scope = name[: len(name) - len(part)].rstrip("./")
    if not scope:
        return _of_bare_name(name)
    first = SEPARATORS.split(scope)[0]
    if first in collections and len(first) < len(scope):
        scope = scope[len(first) + 1 :]
    recurrent = RECURRENT.match(part)
    suffix = f"{recurrent[3] or ''}{recurrent[4] or ''}".strip("_") if recurrent else ""
    return (f"{scope}.{suffix}", part) if suffix else (scope, part)


def collections_of(names: Sequence[str]) -> frozenset[str]:
    """The collections of Flax at the top of a file; none where it has not both."""
    tops = {SEPARATORS.split(name, maxsplit=1)[0] for name in names}
    return COLLECTIONS if tops >= COLLECTIONS else frozenset()


def _of_bare_name(name: str) -> tuple[str, str]:
    recurrent = RECURRENT.match(name)
    if recurrent:
        return f"{recurrent[3] or ''}{recurrent[4] or ''}".strip("_"), name
    if name in TORCH_PARTS or name in KERAS_ROLES:
        return "", name
    joined = JOINED.match(name)
    return (joined[1], joined[2]) if joined else (name, name)
