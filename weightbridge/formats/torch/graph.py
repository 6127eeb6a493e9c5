"""What a PyTorch file holds -> its state dict: tensors checked and read lazily, the rest explained."""

from math import prod
from typing import Any

from weightbridge.diagnostics import Finding, finding
from weightbridge.errors import Unsupported
from weightbridge.formats.state_dicts import StateDict
from weightbridge.formats.torch.state import Left, state_of
from weightbridge.formats.torch.tensors import Source, identity, tensor_of
from weightbridge.formats.torch.values import StoredTensor, UnsupportedTensor
from weightbridge.model.graph import Excluded


def state_dict(root: Any, source: Source) -> StateDict:
    """The state dict of a file's pickled value. Raises Unsupported where there is no tensor in it."""
    state = state_of(root, source.path)
    if not state.tensors and not state.left:
        raise Unsupported("there is no tensor in it", where=source.path, fix="Save the model's state_dict()")
    stored = {name: leaf for name, leaf in state.tensors if isinstance(leaf, StoredTensor)}
    unsupported = [(name, leaf.what) for name, leaf in state.tensors if isinstance(leaf, UnsupportedTensor)]
    unread = [Excluded(name, "state", 0) for name, _ in unsupported]
    left_out = [Excluded(left.name, left.reason, _size(left)) for left in state.left]
    return StateDict(
        tensors=tuple(tensor_of(source, name, leaf) for name, leaf in stored.items()),
        excluded=(*unread, *left_out),
        findings=(*state.findings, *(_unsupported(name, what) for name, what in unsupported)),
        scales={name: leaf.scale for name, leaf in stored.items() if leaf.scale},
        ties=_ties(stored),
    )


def producer_of(root: Any) -> str:
    version = root.get("pytorch-lightning_version") if isinstance(root, dict) else None
    return f"PyTorch Lightning {version[:40]}" if isinstance(version, str) else "PyTorch"


def _size(left: Left) -> int:
    return prod(left.leaf.shape) if isinstance(left.leaf, StoredTensor) else 0


def _unsupported(name: str, what: str) -> Finding:
    return finding(
        "WB107",
        f"{name}: {what} is not supported; it is left out",
        source=name,
        fix="Save it as a dense float tensor",
    )


def _ties(stored: dict[str, StoredTensor]) -> dict[str, str]:
    """Names of tensors that are the same numbers in memory as an earlier one: tied weights."""
    first: dict[Any, str] = {}
    ties: dict[str, str] = {}
    for name, leaf in stored.items():
        earlier = first.setdefault(identity(leaf), name)
        if earlier != name and all(leaf.shape):
            ties[name] = earlier
    return ties
