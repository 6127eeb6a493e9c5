"""What a PyTorch file holds -> its state dict: tensors checked and read lazily, the rest explained."""

from collections.abc import Sequence
from math import prod
from typing import Any

from weightbridge.errors import Unsupported
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.state_dicts import StateDict
from weightbridge.formats.torch.pickle import Pickled, refusal
from weightbridge.formats.torch.state import Left, State, state_of
from weightbridge.formats.torch.tensors import Source, identity, tensor_of
from weightbridge.formats.torch.values import StoredTensor, UnsupportedTensor
from weightbridge.model.graph import Excluded


def state_dict(pickled: Pickled, source: Source, wanted: str = "") -> StateDict:
    """The state dict of a file's pickled value; `wanted` names the part to read.

    Raises Unsupported where there is no tensor in it, UnsafeContent where code would have to make them.
    """
    state = state_of(pickled.value, source.path, wanted)
    _refuse_without_weights(state, pickled, source.path)
    stored = {name: leaf for name, leaf in state.tensors if isinstance(leaf, StoredTensor)}
    unsupported = [(name, leaf.what) for name, leaf in state.tensors if isinstance(leaf, UnsupportedTensor)]
    unread = [Excluded(name, "state", 0) for name, _ in unsupported]
    left_out = [Excluded(left.name, left.reason, _size(left)) for left in state.left]
    return StateDict(
        tensors=tuple(tensor_of(source, name, leaf) for name, leaf in stored.items()),
        excluded=(*unread, *left_out),
        findings=(
            *state.findings,
            *_passed_over(list(pickled.foreign)),
            *(_unsupported(name, what) for name, what in unsupported),
        ),
        scales={name: leaf.scale for name, leaf in stored.items() if leaf.scale},
        affine={name: leaf.affine for name, leaf in stored.items() if leaf.affine},
        ties=_ties(stored),
    )


def _refuse_without_weights(state: State, pickled: Pickled, path: str) -> None:
    is_without_weights = state.is_inside_object or not state.tensors
    if pickled.foreign and is_without_weights:
        names = list(pickled.foreign)
        raise refusal(names, f"{path}: its pickle, byte {pickled.foreign[names[0]]}")
    if not state.tensors and not state.left:
        raise Unsupported("there is no tensor in it", where=path, fix="Save the model's state_dict()")


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


def _passed_over(names: Sequence[str]) -> Sequence[Finding]:
    """Settings whose classes PyTorch does not have: no weight needs them."""
    if not names:
        return ()
    shown = listed([name[:120] for name in names], 6)
    return [finding("WB108", f"passed over beside the weights, without running any code: {shown}")]


def _ties(stored: dict[str, StoredTensor]) -> dict[str, str]:
    """Names of tensors that are the same numbers in memory as an earlier one: tied weights."""
    first: dict[Any, str] = {}
    ties: dict[str, str] = {}
    for name, leaf in stored.items():
        earlier = first.setdefault(identity(leaf), name)
        if earlier != name and all(leaf.shape):
            ties[name] = earlier
    return ties
