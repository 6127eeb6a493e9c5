"""A module as it is exported: on the CPU, in float32, its weights no longer computed from others."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm

from weightbridge.errors import Unsupported

UNFIT: tuple[tuple[Callable[[Any], bool], str, str], ...] = (
    (
        lambda tensor: bool(tensor.device.type == "meta"),
        "parameters are on the device `meta`: they have no values",
        "load the weights, then give it",
    ),
    (
        lambda tensor: bool(tensor.is_complex()),
        "it has complex numbers, which Keras and ONNX have no weights of",
        "give a module of real numbers, or the parts of it that are",
    ),
    (
        lambda tensor: bool(tensor.is_quantized),
        "it is quantised",
        "give the module as it was before it was quantised",
    ),
)
OLD_NORMS = {"WeightNorm": remove_weight_norm, "SpectralNorm": remove_spectral_norm}


def plain(module: Any, where: str) -> Any:
    """The module itself where nothing of it has to change, else a copy. Raises Unsupported."""
    tensors = [*module.parameters(), *module.buffers()]
    for is_unfit, message, fix in UNFIT:
        if any(map(is_unfit, tensors)):
            raise Unsupported(message, where=where, fix=fix)
    if all(map(_is_plain, tensors)) and not any(map(_is_computed, module.modules())):
        return module
    return _as_they_are(_copied(module).cpu().float())


def _is_plain(tensor: Any) -> bool:
    is_float32 = not tensor.is_floating_point() or tensor.dtype == torch.float32
    return bool(is_float32 and tensor.device.type == "cpu")


def _is_computed(part: Any) -> bool:
    return parametrize.is_parametrized(part) or bool(_old_norms(part))


def _old_norms(part: Any) -> list[Any]:
    return [hook for hook in part._forward_pre_hooks.values() if type(hook).__name__ in OLD_NORMS]


def _copied(module: Any) -> Any:
    """What the old norms have computed cannot be copied as long as a gradient hangs on it."""
    for part in module.modules():
        for hook in _old_norms(part):
            computed = getattr(part, hook.name, None)
            if isinstance(computed, torch.Tensor) and computed.grad_fn is not None:
                setattr(part, hook.name, computed.detach())
    return deepcopy(module)


def _as_they_are(module: Any) -> Any:
    """Weights that parametrisations compute become plain ones."""
    module.eval()  # in training spectral norms would take another step
    with torch.enable_grad():  # without gradients they would become buffers
        for part in module.modules():
            if parametrize.is_parametrized(part):
                for name in list(part.parametrizations):
                    parametrize.remove_parametrizations(part, name, leave_parametrized=True)
            for hook in _old_norms(part):
                OLD_NORMS[type(hook).__name__](part, hook.name)
    return module
