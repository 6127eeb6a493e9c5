"""Weight norm, spectral norm and pruning masks of torch, by their old names and their new ones."""

from weightbridge.formats.state_dicts.computed.recipes import Parts
from weightbridge.model.tensors import Tensor

NEW = ".parametrizations."


def norms(parts: Parts) -> None:
    """All weights that are kept as a direction and a length, with singular vectors, or with a mask."""
    for name in tuple(parts.stored):
        if name.endswith("_g"):
            _weight_norm(parts, name[:-2], name, f"{name[:-2]}_v")
        elif name.endswith("_orig"):
            _old(parts, name)
        elif NEW in name and name.endswith((".original0", ".original")):
            _new(parts, name)


def _old(parts: Parts, original: str) -> None:
    weight = original.removesuffix("_orig")
    _spectral_norm(parts, weight, original, f"{weight}_u", f"{weight}_v")
    mask, values = parts.get(f"{weight}_mask"), parts.get(original)
    if mask is not None and values is not None and mask.shape == values.shape:
        parts.make(weight, "masked", {}, values, mask)


def _new(parts: Parts, original: str) -> None:
    scope, _, behind = original.rpartition(NEW)
    role, _, last = behind.rpartition(".")
    weight = f"{scope}.{role}"
    beside = f"{scope}{NEW}{role}"
    if last == "original0":
        _weight_norm(parts, weight, original, f"{beside}.original1")
    else:
        _spectral_norm(parts, weight, original, f"{beside}.0._u", f"{beside}.0._v")


def _weight_norm(parts: Parts, weight: str, length: str, direction: str) -> None:
    """The length has 1 along the axes over which the direction is normalised."""
    g, v = parts.get(length), parts.get(direction)
    if g is None or v is None or weight in parts.stored:
        return
    is_fitting = g.size == 1 or (
        len(g.shape) == len(v.shape) and all(n in (1, m) for n, m in zip(g.shape, v.shape, strict=True))
    )
    if is_fitting:
        parts.make(weight, "weight-norm", {}, v, g)


def _spectral_norm(parts: Parts, weight: str, original: str, left: str, right: str) -> None:
    """u is as long as the axis of the outputs, v as the product of the others."""
    w, u, v = (parts.get(name) for name in (original, left, right))
    if w is None or u is None or v is None or weight in parts.stored:
        return
    axes = [axis for axis in (0, 1)[: len(w.shape)] if _fits(w, axis, u, v)]
    if axes:
        parts.make(weight, "spectral-norm", {"axes": axes}, w, u, v)


def _fits(weight: Tensor, axis: int, left: Tensor, right: Tensor) -> bool:
    size = weight.shape[axis]
    return left.shape == (size,) and right.shape == (weight.size // max(size, 1),)
