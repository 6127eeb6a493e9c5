"""Kernel taps: larger kernels are padded with zeros, smaller ones cropped, patch embeddings resampled."""

from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.propose.setting import Partners
from weightbridge.model.graph import Layer

Pair = tuple[int, int]  # padding before and after


def tap_rule(p: Partners, axis: int, before: int, after: int) -> Rule:
    """{} where nothing changes."""
    if before == after:
        return {}
    if axis < p.added_axes:
        return _inflated(before, after)
    if is_patch(p.layer) and is_patch(p.source_layer):
        return {"rule": "resample", "from": before, "to": after}
    lead = _lead(p, axis, before, after)
    rule: dict[str, object] = {"rule": "centre", "from": before, "to": after}
    return rule if lead == abs(after - before) // 2 else rule | {"lead": lead}


def _inflated(before: int, after: int) -> Rule:
    """The kernel goes to the middle of the new axis; an axis without a middle shares it evenly."""
    return {"rule": "centre" if after % 2 else "resample", "from": before, "to": after}


def is_exact_tap(p: Partners, axis: int, rule: Rule) -> bool:
    """True where the same input places meet the same weights, zeros around them: no function changes."""
    before, after = int(rule["from"]), int(rule["to"])
    if rule["rule"] != "centre" or after < before or p.layer.op == "ConvTranspose" or not _same_walk(p):
        return False
    if p.added_axes:
        return False
    ours, theirs = padding_at(p.layer, axis), padding_at(p.source_layer, axis)
    if ours is not None and theirs is not None:
        return _lead_of(ours, theirs, after - before) is not None
    is_odd = before % 2 == after % 2 == 1
    return is_odd and _is_same(p.layer, ours, after) and _is_same(p.source_layer, theirs, before)


def _lead_of(ours: Pair, theirs: Pair, added: int) -> int | None:
    """The zeros before the first tap, where the target pads by as much more as its kernel has taps more."""
    lead = ours[0] - theirs[0]
    fits = sum(ours) - sum(theirs) == added
    return lead if fits and 0 <= lead <= added else None


def is_patch(layer: Layer) -> bool:
    """A convolution that cuts the image into patches: kernel and stride are one size, larger than one."""
    size = tuple(layer.attributes.get("kernel_size") or ())
    strides = tuple(layer.attributes.get("strides") or ())
    if layer.op != "Conv" or not size or size != strides or min(size) <= 1:
        return False
    padding = layer.attributes.get("padding")
    if isinstance(padding, tuple):
        return all(tuple(pair) == (0, 0) for pair in padding)
    return padding in ("valid", "same")


def _lead(p: Partners, axis: int, before: int, after: int) -> int:
    """Zeros before the first tap: what the target pads more than the source; the middle where not known."""
    ours, theirs = padding_at(p.layer, axis), padding_at(p.source_layer, axis - p.added_axes)
    middle = abs(after - before) // 2
    if after < before or ours is None or theirs is None:
        return middle
    lead = _lead_of(ours, theirs, after - before)
    return middle if lead is None else lead


def _same_walk(p: Partners) -> bool:
    """Whether both step over the input alike, as far as that is known, and the target not dilated."""
    if any(d not in (None, 1) for d in p.layer.attributes.get("dilation") or ()):
        return False
    return all(_agree(p, name) for name in ("strides", "dilation"))


def _agree(p: Partners, name: str) -> bool:
    ours, theirs = p.layer.attributes.get(name), p.source_layer.attributes.get(name)
    return ours is None or theirs is None or tuple(ours) == tuple(theirs)


def padding_at(layer: Layer, axis: int) -> Pair | None:
    """Before and after along a spatial axis; None where that is not known."""
    padding = layer.attributes.get("padding")
    if isinstance(padding, tuple) and axis < len(padding):
        before, after = padding[axis]
        return int(before), int(after)
    return (0, 0) if padding == "valid" else None


def _is_same(layer: Layer, pair: Pair | None, size: int) -> bool:
    """`same`, or unknown as in a file of weights alone."""
    if pair is None:
        return layer.attributes.get("padding") in (None, "same")
    return sum(pair) == size - 1
