"""Kernel taps: larger kernels are padded with zeros, smaller ones cropped, patch embeddings resampled."""

from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.propose.setting import Partners
from weightbridge.model.graph import Layer


def tap_rule(p: Partners, axis: int, before: int, after: int) -> Rule:
    """{} where nothing changes."""
    if before == after:
        return {}
    if is_patch(p.layer) and is_patch(p.source_layer):
        return {"rule": "resample", "from": before, "to": after}
    lead = _lead(p, axis, before, after)
    rule: dict[str, object] = {"rule": "centre", "from": before, "to": after}
    return rule if lead == abs(after - before) // 2 else rule | {"lead": lead}


def is_exact_tap(p: Partners, axis: int, rule: Rule) -> bool:
    """True where the same input places meet the same weights, zeros around them: no function changes."""
    before, after = int(rule["from"]), int(rule["to"])
    if rule["rule"] != "centre" or after < before or p.layer.op == "ConvTranspose" or not _same_walk(p):
        return False
    ours, theirs = (padding_at(layer, axis) for layer in (p.layer, p.source_layer))
    if ours is None or theirs is None:
        return (
            before % 2 == after % 2 == 1
            and _is_same(p.layer, ours, after)
            and _is_same(p.source_layer, theirs, before)
        )
    return sum(ours) - sum(theirs) == after - before and 0 <= ours[0] - theirs[0] <= after - before


def is_patch(layer: Layer) -> bool:
    """A convolution that cuts the image into patches: kernel and stride are the same, larger than one,
    without padding.
    """
    size, strides = (tuple(layer.attributes.get(name) or ()) for name in ("kernel_size", "strides"))
    padding = layer.attributes.get("padding")
    bare = padding == "valid" or (
        isinstance(padding, tuple) and all(tuple(pair) == (0, 0) for pair in padding)
    )
    return (
        layer.op == "Conv"
        and bool(size)
        and size == strides
        and min(size) > 1
        and (bare or padding == "same")
    )


def _lead(p: Partners, axis: int, before: int, after: int) -> int:
    """Zeros before the first tap: what the target pads more than the source, where that is known; else the
    middle.
    """
    ours, theirs = (padding_at(layer, axis) for layer in (p.layer, p.source_layer))
    middle = abs(after - before) // 2
    if after < before or ours is None or theirs is None:
        return middle
    lead = ours[0] - theirs[0]
    return lead if 0 <= lead <= after - before and sum(ours) - sum(theirs) == after - before else middle


def _same_walk(p: Partners) -> bool:
    names = ("strides", "dilation")
    known = [(p.layer.attributes.get(n), p.source_layer.attributes.get(n)) for n in names]
    dilated = any(d not in (None, 1) for d in p.layer.attributes.get("dilation") or ())
    return not dilated and all(a is None or b is None or tuple(a) == tuple(b) for a, b in known)


def padding_at(layer: Layer, axis: int) -> tuple[int, int] | None:
    padding = layer.attributes.get("padding")
    if isinstance(padding, tuple) and axis < len(padding):
        return int(padding[axis][0]), int(padding[axis][1])
    return (0, 0) if padding == "valid" else None


def _is_same(layer: Layer, pair: tuple[int, int] | None, size: int) -> bool:
    """`same`, or unknown as in a file of weights alone."""
    return layer.attributes.get("padding") in (None, "same") if pair is None else sum(pair) == size - 1
