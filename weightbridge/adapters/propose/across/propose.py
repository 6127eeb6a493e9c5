"""Across architectures: every convolution takes from one of its stage, and norms are worked out again."""

from collections.abc import Container, Iterable, Iterator, Mapping

from weightbridge.adapters.propose.across.counterparts import counterparts
from weightbridge.adapters.propose.across.findings import cross_findings
from weightbridge.adapters.propose.across.heads import CrossHeads, cross_heads
from weightbridge.adapters.propose.across.kernels import kernel_step, vector_step
from weightbridge.adapters.propose.across.norms import statistic_steps
from weightbridge.adapters.propose.across.stages import norm_after
from weightbridge.adapters.propose.across.told import as_told, told_layers, told_tensors, unscaled
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.values import Proposal
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def propose_cross(setting: Setting) -> Proposal:
    """A step for every tensor of the target's convolutions, norms and equal heads; other heads stay fresh."""
    told = told_layers(setting)
    taken = {**counterparts(setting.source, setting.target), **told}
    heads = cross_heads(setting, told)
    steps = {step.target: step for step in _told_weights(setting, taken, heads, told)}
    as_they_are = {name: steps.pop(name) for name in told_tensors(setting) if name in steps}
    filled = steps | {name: unscaled(step) for name, step in as_they_are.items()}
    steps |= _by_target(_without_source(setting, taken, filled))
    statistics = _by_target(statistic_steps(setting, taken, steps | filled))
    steps |= {name: step for name, step in statistics.items() if name in steps}
    adaptable = [tensor.name for tensor in setting.target.tensors if setting.is_adaptable(tensor)]
    kept = tuple(steps[name] for name in adaptable if name in steps)
    findings = (*heads.findings, *cross_findings(setting, taken, kept))
    return Proposal(kept, findings, heads.fresh, different=True)


def _by_target(steps: Iterable[Step]) -> dict[str, Step]:
    return {step.target: step for step in steps}


def _told_weights(
    setting: Setting, taken: Mapping[str, Layer], heads: CrossHeads, told: Container[str]
) -> Iterator[Step]:
    """The steps for weights; those of layers that the user has named say so."""
    for step in _weights(setting, taken, heads):
        yield as_told(step) if _owner(setting, step) in told else step


def _weights(setting: Setting, taken: Mapping[str, Layer], heads: CrossHeads) -> Iterator[Step]:
    settled = heads.fresh | heads.exact
    for layer in setting.target.layers:
        source_layer = heads.pairs.get(layer.name) or taken.get(layer.name)
        if source_layer is None:
            continue
        open_tensors = (tensor for tensor in layer.tensors if tensor.name not in settled)
        steps = (_step(setting, layer, tensor, source_layer) for tensor in open_tensors)
        yield from (step for step in steps if step is not None)


def _owner(setting: Setting, step: Step) -> str:
    return setting.target.owner[step.target].name


def _step(setting: Setting, layer: Layer, tensor: Tensor, source_layer: Layer) -> Step | None:
    if tensor.role in KERNELS:
        return kernel_step(setting, layer, tensor, source_layer)
    return vector_step(tensor, _vector_source(setting.source, source_layer, tensor.role))


def _vector_source(graph: LayerGraph, layer: Layer, role: str) -> Tensor | None:
    """The source's vector of this role; a bias may also come from the norm behind its convolution."""
    own = layer.tensor(role)
    if own is not None or role != "bias":
        return own
    norm = norm_after(graph, layer)
    return norm.tensor("beta") if norm else None


def _without_source(
    setting: Setting, taken: Mapping[str, Layer], steps: Mapping[str, Step]
) -> Iterator[Step]:
    """Norms behind adapted convolutions start neutral; the target keeps its way to normalise its input."""
    for layer in setting.target.layers:
        is_open = layer.op == "BatchNorm" and layer.name not in taken
        if is_open and _follows_a_step(setting, layer, steps):
            yield from (vector_step(tensor, None) for tensor in layer.tensors)
        elif layer.op == "Normalization":
            yield from (_kept(tensor) for tensor in layer.tensors)


def _follows_a_step(setting: Setting, layer: Layer, steps: Mapping[str, Step]) -> bool:
    before = (setting.target.by_name[name] for name in setting.target.parents[layer.name])
    return any(tensor.name in steps for above in before for tensor in above.tensors)


def _kept(tensor: Tensor) -> Step:
    cost = "the target's own way to normalise its input"
    return Step(tensor.name, (), "keep", "untouched", tensor.shape, tensor.size, cost=cost)
