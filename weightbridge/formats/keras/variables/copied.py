"""Weights that Keras 3 stores twice: SpectralNormalization lists its layer's kernel as its own."""

from collections.abc import Sequence

from weightbridge.formats.hdf5.tree import Dataset, Group

WRAPPED_KERNEL = "/layer/vars/0"


def is_copied_kernel(group: Group, own: Sequence[Dataset]) -> bool:
    """Whether the first variable of a wrapper is the kernel of its layer, and the other its vector u."""
    inner = group.dataset(WRAPPED_KERNEL[1:])
    if inner is None or len(own) != 2 or not inner.shape:
        return False
    return own[0].shape == inner.shape and own[1].shape == (1, inner.shape[-1])


def copied_kernel(root: Group, dataset: Dataset) -> Dataset | None:
    """The second place of a wrapped layer's kernel, None for any other variable."""
    if not dataset.path.endswith(WRAPPED_KERNEL):
        return None
    wrapper = root.group(dataset.path.removesuffix(WRAPPED_KERNEL))
    own = [wrapper.dataset(f"vars/{number}") for number in (0, 1)] if wrapper else []
    found = [variable for variable in own if variable is not None]
    return found[0] if wrapper and is_copied_kernel(wrapper, found) else None
