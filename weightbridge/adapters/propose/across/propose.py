"""Across architectures: every convolution takes from one of its stage, norms are worked out again, so that
signals stay healthy.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from weightbridge.adapters.propose.across.counterparts import counterparts
from weightbridge.adapters.propose.across.findings import cross_findings
from weightbridge.adapters.propose.across.heads import CrossHeads, cross_heads
from weightbridge.adapters.propose.across.kernels import kernel_step, vector_step
from weightbridge.adapters.propose.across.norms import statistic_steps
from weightbridge.adapters.propose.across.stages import norm_after
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.values import Proposal
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.plan import Step

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def propose_cross(setting: Setting) -> Proposal:
    """A step for every tensor of the target's convolutions, norms and equal heads; a head of other classes is
    left fresh.
    """
    taken = counterparts(setting.source, setting.target)
    heads = cross_heads(setting)
    steps = {s.target: s for s in _weights(setting, taken, heads)}
    steps |= {s.target: s for s in _without_source(setting, taken, steps)}
    steps |= {s.target: s for s in statistic_steps(setting, taken, steps)}
    kept = tuple(steps[t.name] for t in setting.target.tensors if t.name in steps and setting.is_adaptable(t))
    return Proposal(
        kept, (*heads.findings, *cross_findings(setting, taken, kept)), heads.fresh, different=True
    )


def _weights(setting: Setting, taken: Mapping[str, Layer], heads: CrossHeads) -> Iterator[Step]:
    for layer in setting.target.layers:
        other = heads.pairs.get(layer.name) or taken.get(layer.name)
        for tensor in layer.tensors:
            if other is None or tensor.name in heads.fresh or tensor.name in heads.exact:
                continue
            if tensor.role in KERNELS:
                step = kernel_step(setting, layer, tensor, other)
            else:
                step = vector_step(tensor, _vector_source(setting.source, other, tensor.role))
            if step is not None:
                yield step


def _without_source(
    setting: Setting, taken: Mapping[str, Layer], steps: Mapping[str, Step]
) -> Iterator[Step]:
    """Norms behind adapted convolutions start neutral; how the target normalises its own input stays as it
    is.
    """
    for layer in setting.target.layers:
        before = [setting.target.by_name[name] for name in setting.target.parents[layer.name]]
        follows = any(t.name in steps for above in before for t in above.tensors)
        for tensor in layer.tensors:
            if layer.op == "BatchNorm" and layer.name not in taken and follows:
                yield vector_step(tensor, None)
            elif layer.op == "Normalization":
                yield Step(
                    tensor.name,
                    (),
                    "keep",
                    "untouched",
                    tensor.shape,
                    tensor.size,
                    cost="the target's own way to normalise its input",
                )


def _vector_source(graph: LayerGraph, layer: Layer, role: str) -> Any:
    """The source's vector of this role; a bias may also come from the norm behind the source's convolution."""
    norm = norm_after(graph, layer)
    return layer.tensor(role) or (norm.tensor("beta") if role == "bias" and norm else None)
