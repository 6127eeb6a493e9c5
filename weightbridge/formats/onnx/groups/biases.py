"""A constant that is added right after a product of weights is that layer's bias."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from weightbridge.formats.onnx.drafts import Draft, Site, Slot
from weightbridge.formats.onnx.values.net import Constant
from weightbridge.model.vocabulary import COPIES, DENSE, SINGLE_KERNEL_CONVOLUTIONS

OWNERS = SINGLE_KERNEL_CONVOLUTIONS | DENSE
BETWEEN_MOST = 6
BETWEEN = COPIES | {"Permute", "Reshape", "Slice"}


def with_biases(site: Site, drafts: Sequence[Draft]) -> list[Draft]:
    """Every shift that follows a layer without a bias, straight or through reshaping, becomes its bias."""
    maker = {value: n for n, d in enumerate(drafts) for value in d.outputs}
    changed: dict[int, Draft | None] = {}
    for n, shift in enumerate(drafts):
        if len(shift.slots) != 1 or shift.class_name != "Add" or len(shift.inputs) != 1:
            continue
        found = _owner(site, drafts, maker, shift)
        if found is None or found[0] in changed:
            continue
        owner, value = found
        changed[owner] = _joined(drafts[owner], shift, value)
        if value != shift.inputs[0]:  # what reshapes between the two stays, and gives the shift's output
            between = maker[shift.inputs[0]]
            changed[between] = replace(
                drafts[between], outputs=(*drafts[between].outputs, *shift.outputs), shown=shift.shown
            )
        changed[n] = None
    result = (changed.get(n, d) for n, d in enumerate(drafts))
    return [d for d in result if d is not None]


def _owner(
    site: Site, drafts: Sequence[Draft], maker: Mapping[str, int], shift: Draft
) -> tuple[int, str] | None:
    """The layer whose bias this is, and its output."""
    value, constant = shift.inputs[0], shift.slots[0].constant
    for _ in range(BETWEEN_MOST):
        n = maker.get(value)
        if n is None or site.net.only_reader(value) is None:
            return None
        before = drafts[n]
        if before.op in OWNERS and before.slot("kernel"):
            fits = before.slot("bias") is None and _fits(
                site, before, constant, shift.inputs[0], direct=value == shift.inputs[0]
            )
            return (n, value) if fits else None
        if not _keeps_channels(before) or before.slots or len(before.inputs) != 1:
            return None
        value = before.inputs[0]
    return None


def _keeps_channels(between: Draft) -> bool:
    """Whether the node leaves every channel as it is, if their number stays; zeros may be added, as a
    transposed convolution has them.
    """
    return between.op in BETWEEN or (between.op == "Pad" and between.attributes.get("value") == 0.0)


def _fits(site: Site, owner: Draft, constant: Constant, read: str, *, direct: bool) -> bool:
    """Whether the constant has one number per output channel, along the channels."""
    kernel = owner.slot("kernel")
    width = (
        owner.attributes.get("units") or owner.attributes.get("filters") or (kernel.constant.shape or (0,))[0]
        if kernel
        else 0
    )
    shape = constant.shape or ()
    if owner.op == "EinsumDense":
        return 0 < len(shape) < 3 and prod(shape) > 1
    if prod(shape) != width or not shape:
        return False
    if owner.op == "Dense":
        return shape[-1] == width if direct else True
    rank = len(kernel.constant.shape or ()) if kernel else 0
    if direct:
        return len(shape) >= rank - 1 and shape[1 - rank] == width
    seen = site.shapes.get(read)
    axis = next((i - len(shape) for i, n in enumerate(shape) if n > 1), None)
    return axis is not None and (seen is None or seen[axis] == width)


def _joined(owner: Draft, shift: Draft, value: str) -> Draft:
    is_direct = value == shift.inputs[0]
    return replace(
        owner,
        nodes=tuple(sorted((*owner.nodes, *shift.nodes))) if is_direct else owner.nodes,
        outputs=(*owner.outputs, *shift.outputs) if is_direct else owner.outputs,
        shown=shift.shown,
        attributes={**owner.attributes, "use_bias": True},
        slots=(
            *owner.slots,
            Slot(
                "bias", shift.slots[0].constant, "o" if len(shift.slots[0].constant.shape or ()) == 1 else ""
            ),
        ),
    )
