"""What every proposer is given: both graphs, who is paired with whom, and the target's channel groups."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from weightbridge.adapters.letters import Letters, letters, of_rank, taps
from weightbridge.adapters.propose.deeper.branches import Branch, residual_branches
from weightbridge.adapters.propose.groups import Groups, channel_groups
from weightbridge.adapters.propose.ties import Axis
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.values import LayerPair, Match, Matching
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True, slots=True)
class Partners:
    """A target tensor, the source tensor whose value it should get, and what their axes mean."""

    layer: Layer
    tensor: Tensor
    letters: Letters
    source_layer: Layer
    source: Tensor
    source_letters: Letters
    pair: LayerPair

    @property
    def added_axes(self) -> int:
        """How many axes of space the target's kernel has more than the source's."""
        ours, theirs = len(taps(self.letters)), len(taps(self.source_letters))
        return ours - theirs if theirs else 0


@dataclass(frozen=True)
class Setting:
    source: LayerGraph
    target: LayerGraph
    matching: Matching
    open_targets: frozenset[str]
    is_asked: bool = False  # for whatever adapters can do, not for one architecture alone

    @cached_property
    def groups(self) -> Groups:
        return channel_groups(self.target)

    @cached_property
    def source_groups(self) -> Groups:
        return channel_groups(self.source)

    @cached_property
    def matches(self) -> Mapping[str, Match]:
        return {m.target: m for m in self.matching.matches}

    @cached_property
    def pairs(self) -> Mapping[str, LayerPair]:
        """By target layer, without those whose source was then found to be another layer's."""
        return {
            p.target: p
            for p in self.matching.pairs
            if p.target in self.target.by_name and p.source in self.source.by_name and not self._is_taken(p)
        }

    def _is_taken(self, pair: LayerPair) -> bool:
        """All tensors of the source go to other layers, and none to this one."""
        ours = {tensor.name for tensor in self.target.by_name[pair.target].tensors}
        theirs = [tensor.name for tensor in self.source.by_name[pair.source].tensors]
        if not (ours and theirs) or ours & self.matches.keys():
            return False
        return all(name in self._used for name in theirs)

    @cached_property
    def _used(self) -> frozenset[str]:
        return frozenset(name for match in self.matching.matches for name in match.sources)

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """The target's residual branches."""
        return tuple(residual_branches(self.target))

    @cached_property
    def partners(self) -> Mapping[str, Partners]:
        """By target tensor; only tensors that a step may be proposed for, of layers that are paired and of
        known axes.
        """
        return {p.tensor.name: p for p in _partners(self) if _can_meet(p)}

    def axis(self, layer: Layer, letter: str) -> Axis | None:
        """The groups along one axis of a tensor of this target layer, None where the letter is no channel
        axis.
        """
        return axis_of(self.groups, layer, letter)

    def is_adaptable(self, tensor: Tensor) -> bool:
        return tensor.name in self.open_targets or tensor.name in self.matches


def axis_of(groups: Groups, layer: Layer, letter: str) -> Axis | None:
    match letter:
        case "i" | "c":
            return groups.read.get(layer.name)
        case "o" | "u":
            return groups.written.get(layer.name)
        case "g":
            axis = groups.written.get(layer.name)
            return Axis(axis.parts, outer=GATES[layer.op]) if axis and axis.outer == axis.inner == 1 else None
        case _:
            return None


def _partners(setting: Setting) -> Iterator[Partners]:
    misfits = {target: source for source, target in setting.matching.misfits}
    for layer in setting.target.layers:
        pair = setting.pairs.get(layer.name)
        for tensor in filter(setting.is_adaptable, layer.tensors):
            misfit = setting.source.tensor_by_name.get(misfits.get(tensor.name, ""))
            source = misfit or _same_role(setting, pair, tensor)
            if source is not None:
                yield _joined(setting, layer, tensor, source, pair)


def _can_meet(p: Partners) -> bool:
    """All axes are known; those of the source that the target lacks have length one, and can be dropped."""
    if not p.letters or not p.source_letters:
        return False
    if {p.layer.op, p.source_layer.op} == {"Dense", "Conv"} and _has_taps(p):
        return False  # what a dense layer reads are no channels there
    return all(
        n == 1 for letter, n in zip(p.source_letters, p.source.shape, strict=True) if letter not in p.letters
    )


def _has_taps(p: Partners) -> bool:
    sides = (p.letters, p.tensor), (p.source_letters, p.source)
    lengths = (dict(zip(letters, tensor.shape, strict=True)) for letters, tensor in sides)
    return any(length > 1 for side in lengths for x, length in side.items() if x.startswith("x"))


def _same_role(setting: Setting, pair: LayerPair | None, tensor: Tensor) -> Tensor | None:
    """The one source of a match; of a tensor without a match the one of its role in the paired layer."""
    match = setting.matches.get(tensor.name)
    if match is not None:
        return setting.source.tensor_by_name.get(match.sources[0]) if len(match.sources) == 1 else None
    return None if pair is None else setting.source.by_name[pair.source].tensor(tensor.role)


def _joined(
    setting: Setting, layer: Layer, tensor: Tensor, source: Tensor, pair: LayerPair | None
) -> Partners:
    owner = setting.source.owner[source.name]
    pair = pair or LayerPair(owner.name, layer.name, DOUBTFUL, ("shape",))
    ours = letters(layer, tensor)
    return Partners(layer, tensor, ours, owner, source, of_rank(letters(owner, source), ours), pair)
