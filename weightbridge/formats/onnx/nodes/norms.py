"""ONNX's own normalisation nodes as canonical layers.

Those written out in single steps are in onnx_regions.
"""

from typing import Any

from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, decimal, draft
from weightbridge.formats.onnx.proto import Node

NEUTRAL = {"gamma": ("scale", 1.0), "beta": ("center", 0.0)}  # attributes, and what stands for no tensor
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def batch_norm(site: Site, node: Node, index: int) -> Draft | None:
    found: dict[str, Any] = {
        "epsilon": decimal(node.attributes.get("epsilon", 1e-5)),
        "scale": True,
        "center": True,
    }
    if "momentum" in node.attributes:
        found["momentum"] = decimal(node.attributes["momentum"])
    slots = []
    for role, value in zip(BATCH_NORM, node.inputs[1:], strict=False):
        constant = site.constant(value)
        if constant is not None:
            slots.append(Slot(role, constant, "c"))
        elif role in NEUTRAL and _are_all(site, value, NEUTRAL[role][1]):
            found[NEUTRAL[role][0]] = False
        else:
            return None
    return draft(site, node, index, "BatchNorm", found | {"data_format": node.data_format}, *slots)


def _are_all(site: Site, value: str, number: float) -> bool:
    """Whether the graph computes nothing but this number there."""
    numbers = site.net.numbers.get(value)
    return numbers is not None and bool((numbers == number).all())


def layer_norm(site: Site, node: Node, index: int) -> Draft | None:
    """LayerNormalization and the RMS forms.

    The extra inputs of fused nodes (a skip connection, its bias) stay with the node.
    """
    is_rms = node.op in ("RMSNormalization", "SimplifiedLayerNormalization")
    gamma = site.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    beta = site.constant(node.inputs[2]) if len(node.inputs) > 2 and not is_rms else None
    found = {
        "epsilon": decimal(node.attributes.get("epsilon", 1e-5)),
        "axis": int(node.attributes.get("axis", -1)),
        "scale": gamma is not None,
        "center": beta is not None,
    }
    slots = (Slot("gamma", gamma, "c") if gamma else None, Slot("beta", beta, "c") if beta else None)
    return draft(site, node, index, "RMSNorm" if is_rms else "LayerNorm", found, *slots)


def group_norm(site: Site, node: Node, index: int) -> Draft | None:
    """GroupNormalization; InstanceNormalization is one group per channel."""
    found: dict[str, Any] = {
        "epsilon": decimal(node.attributes.get("epsilon", 1e-5)),
        "scale": True,
        "center": True,
    }
    gamma, beta = (site.constant(v) for v in (*node.inputs[1:3], "", "")[:2])
    if gamma is None or beta is None:
        return None
    found["groups"] = int(node.attributes.get("num_groups", 0)) or gamma.size
    found["data_format"] = "channels_first"
    return draft(site, node, index, "GroupNorm", found, Slot("gamma", gamma, "c"), Slot("beta", beta, "c"))


BUILDERS: dict[str, Builder] = {
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": layer_norm,
    "SimplifiedLayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": group_norm,
}
