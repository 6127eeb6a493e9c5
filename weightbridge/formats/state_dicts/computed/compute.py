"""A state dict's tensors with the weights that are computed from several of them in their place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weightbridge.errors.diagnostics import Finding, finding, listed, with_severity
from weightbridge.formats.quantised import applied
from weightbridge.formats.state_dicts.computed.low_rank import LowRank, is_adapter, low_rank
from weightbridge.formats.state_dicts.computed.norms import norms
from weightbridge.formats.state_dicts.computed.recipes import Parts
from weightbridge.formats.state_dicts.computed.scales import Quantised, scaled
from weightbridge.model.tensors import Tensor

MERGE = "merge it first (merge_and_unload in PEFT), "
WAYS = {
    "LoRA's alpha": "say it with --source-arg lora_alpha=ALPHA (adapter_config.json has it), or "
    + MERGE[:-2],
}
PLAIN = "Use the checkpoint in float16, bfloat16 or float32, or dequantise it first"


@dataclass(frozen=True, slots=True)
class Computation:
    """The tensors of the model, what is no weight of it, and what is to be said."""

    tensors: tuple[Tensor, ...]
    excluded: tuple[Tensor, ...]
    findings: tuple[Finding, ...]

    @property
    def is_needed(self) -> bool:
        return bool(self.excluded) or any(tensor.computed for tensor in self.tensors)


def computed(tensors: Sequence[Tensor], quantised: Quantised, known: LowRank) -> Computation:
    """The weights as they are used."""
    names = [tensor.name for tensor in tensors]
    parts = Parts({tensor.name: tensor for tensor in tensors})
    if is_adapter(names):
        return Computation((), tuple(tensors), (_adapter_alone(names),))
    scaled(parts, quantised)
    norms(parts)
    low_rank(parts, known)
    return _outcome(parts)


def _outcome(parts: Parts) -> Computation:
    weights: list[Tensor] = []
    left: list[Tensor] = []
    done: set[str] = set()
    for name, tensor in parts.stored.items():
        weight = _outermost(parts, name)
        if name in parts.spare or name in parts.unknown or weight in parts.unknown:
            left.append(tensor)
        elif weight not in done:
            weights.append(parts.made.get(weight, tensor))
            done.add(weight)
    return Computation(tuple(weights), tuple(left), tuple(_said(parts)))


def _outermost(parts: Parts, name: str) -> str:
    """The weight that a stored tensor ends up in: a scaled one may be the base of an adapter."""
    weight = parts.taken.get(name, name)
    while weight != parts.taken.get(weight, weight):
        weight = parts.taken[weight]
    return weight


def _said(parts: Parts) -> list[Finding]:
    scaled = [weight for weight in parts.made.values() if _is_scaled(weight)]
    said = [_applied(scaled)] if scaled else []
    for missing in dict.fromkeys(parts.unknown.values()):
        names = [name for name, what in parts.unknown.items() if what == missing]
        said.append(_unknown(names, missing, parts))
    return said


def _applied(weights: Sequence[Tensor]) -> Finding:
    names = listed([f"{tensor.name} ({_scale_of(tensor)})" for tensor in weights], 3)
    count = "1 tensor is" if len(weights) == 1 else f"{len(weights)} tensors are"
    message = f"{count} stored as {_dtypes(weights)} with scales, which are applied: {names}"
    return applied(message, weights[0].name)


def _is_scaled(weight: Tensor) -> bool:
    return weight.computed is not None and weight.computed.transform == "dequantise"


def _scale_of(weight: Tensor) -> str:
    assert weight.computed is not None
    numbers = weight.computed.parameters
    if "scale" in numbers:
        return f"scale {numbers['scale']:.6g}, zero point {numbers['zero_point']}"
    return ", ".join(part.name for part in weight.computed.parts[1:])


def _dtypes(weights: Sequence[Tensor]) -> str:
    return ", ".join(sorted({weight.computed.parts[0].dtype for weight in weights if weight.computed}))


def _unknown(names: Sequence[str], missing: str, parts: Parts) -> Finding:
    shown = listed([f"{name} ({parts.stored[name].dtype})" for name in names], 3)
    if any(".lora_" in name for name in names):
        what = f"weights that an adapter (LoRA) changes, in a way that is not known ({missing})"
        fix = WAYS.get(missing, MERGE[:-2])
    else:
        reason = scheme_of(parts.stored) or missing or "no scale beside it"
        what = f"values that are the weights only with their scales, and these are not known ({reason})"
        fix = PLAIN
    message = f"{what}: {shown}; they are not transferred"
    return with_severity(finding("WB109", message, source=names[0], fix=fix), "error")


def scheme_of(names: Mapping[str, Tensor]) -> str:
    """What packs several values into one number, by the names beside it."""
    last = {name.rpartition(".")[2] for name in names}
    if "qweight" in last:
        return "GPTQ" if "g_idx" in last else "AWQ or GPTQ"
    if "absmax" in last or any("quant_state" in name for name in names):
        return "4 or 8 bits of bitsandbytes"
    return "packed integers of compressed-tensors" if "weight_packed" in last else ""


def _adapter_alone(names: Sequence[str]) -> Finding:
    shown = listed(list(names), 3)
    return finding(
        "WB105",
        f"an adapter of low rank (LoRA) alone: {shown}; the weights that it changes are not in the file",
        source=names[0],
        fix="load it onto its base model, merge it there (merge_and_unload in PEFT), and save that",
    )
