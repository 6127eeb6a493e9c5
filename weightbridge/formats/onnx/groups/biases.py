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
    changed = _changes(site, drafts)
    result = [changed.get(n, draft) for n, draft in enumerate(drafts)]
    return [draft for draft in result if draft is not None]


def _changes(site: Site, drafts: Sequence[Draft]) -> dict[int, Draft | None]:
    """By index: a draft as it becomes, None for a shift that is a bias now."""
    maker = {value: n for n, draft in enumerate(drafts) for value in draft.outputs}
    changed: dict[int, Draft | None] = {}
    for n, shift in enumerate(drafts):
        owned = _owner(site, drafts, maker, shift)
        if owned is None or owned[0] in changed:
            continue
        owner, value = owned
        changed[owner] = _with_bias(drafts[owner], shift, value)
        if value != shift.inputs[0]:
            between = maker[shift.inputs[0]]
            changed[between] = _in_place_of(drafts[between], shift)
        changed[n] = None
    return changed


def _owner(
    site: Site, drafts: Sequence[Draft], maker: Mapping[str, int], shift: Draft
) -> tuple[int, str] | None:
    """The layer whose bias this is, and its output; None where it is no bias."""
    value = shift.inputs[0] if _is_shift(shift) else ""
    for _ in range(BETWEEN_MOST):
        n = maker.get(value)
        if n is None or site.net.only_reader(value) is None:
            return None
        if _has_kernel(drafts[n]):
            fits = _fits(site, drafts[n], shift, value)
            return (n, value) if fits else None
        value = _value_before(drafts[n])
    return None


def _value_before(between: Draft) -> str:
    """The value that a node hands on with every channel as it is; "" for any other node."""
    return between.inputs[0] if _keeps_channels(between) else ""


def _is_shift(draft: Draft) -> bool:
    """Whether the draft adds one constant to one value."""
    return draft.class_name == "Add" and len(draft.slots) == 1 and len(draft.inputs) == 1


def _has_kernel(draft: Draft) -> bool:
    return draft.op in OWNERS and draft.slot("kernel") is not None


def _keeps_channels(between: Draft) -> bool:
    """Whether the node leaves every channel of its one input as it is, if their number stays.

    Zeros may be added, as a transposed convolution has them.
    """
    adds_zeros = between.op == "Pad" and between.attributes.get("value") == 0.0
    is_view = between.op in BETWEEN or adds_zeros
    return is_view and not between.slots and len(between.inputs) == 1


def _fits(site: Site, owner: Draft, shift: Draft, value: str) -> bool:
    """Whether the constant has one number per output channel, along the channels."""
    constant = shift.slots[0].constant
    shape = constant.shape or ()
    if owner.slot("bias") is not None:
        return False
    if owner.op == "EinsumDense":
        return 0 < len(shape) < 3 and prod(shape) > 1
    width = _width(owner)
    if not shape or prod(shape) != width:
        return False
    is_direct = value == shift.inputs[0]
    if owner.op == "Dense":
        axis = owner.attributes.get("axis", -1)
        return not is_direct or (len(shape) >= -axis and shape[axis] == width)
    if is_direct:
        return _is_along_channels(owner, constant, width)
    return _is_along_width(site.shapes.get(shift.inputs[0]), shape, width)


def _width(owner: Draft) -> int:
    """The number of output channels."""
    kernel = owner.slot("kernel")
    if kernel is None:
        return 0
    stated = owner.attributes.get("units") or owner.attributes.get("filters")
    return int(stated or (kernel.constant.shape or (0,))[0])


def _is_along_channels(owner: Draft, constant: Constant, width: int) -> bool:
    """Whether a constant that is added to a convolution's output lies along its channels: (o, 1, 1)."""
    kernel = owner.slot("kernel")
    rank = len(kernel.constant.shape or ()) if kernel else 0
    shape = constant.shape or ()
    if owner.attributes.get("data_format") == "channels_last":
        return shape[-1] == width
    return len(shape) >= rank - 1 and shape[1 - rank] == width


def _is_along_width(value_shape: tuple[int | None, ...] | None, shape: tuple[int, ...], width: int) -> bool:
    """Whether the constant lies along an axis of this width, behind what reshapes the channels."""
    axis = next((i - len(shape) for i, n in enumerate(shape) if n > 1), None)
    if axis is None:
        return width == 1
    return value_shape is None or value_shape[axis] == width


def _with_bias(owner: Draft, shift: Draft, value: str) -> Draft:
    constant = shift.slots[0].constant
    axes = "o" if len(constant.shape or ()) == 1 else ""
    owner = replace(
        owner,
        shown=shift.shown,
        attributes={**owner.attributes, "use_bias": True},
        slots=(*owner.slots, Slot("bias", constant, axes)),
    )
    if value != shift.inputs[0]:
        return owner
    nodes = tuple(sorted((*owner.nodes, *shift.nodes)))
    return replace(owner, nodes=nodes, outputs=(*owner.outputs, *shift.outputs))


def _in_place_of(between: Draft, shift: Draft) -> Draft:
    """What reshapes between the two stays, and gives the shift's output."""
    return replace(between, outputs=(*between.outputs, *shift.outputs), shown=shift.shown)
