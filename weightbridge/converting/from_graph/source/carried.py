"""What a source says of a layer and Keras's layer cannot do: refused, and never dropped."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer, LayerGraph

Settings = Mapping[str, Any]
WHOLE_NUMBERS = ("int", "uint")
TRUNCATING = frozenset({"Div", "ReduceMean"})  # of whole numbers


def refuse_dropped(layer: Layer, inputs: Sequence[Value] = ()) -> None:
    """Raises Unsupported with what the layer says that would be lost."""
    settings = layer.settings
    check = BY_OP.get(layer.op) or BY_CLASS.get(layer.class_name)
    said = check(settings) if check else None
    if said:
        raise Unsupported(said)
    if layer.class_name in TRUNCATING and any(value.dtype.startswith(WHOLE_NUMBERS) for value in inputs):
        raise Unsupported("divides whole numbers and drops what is left, which Keras's division does not")


def refuse_fixed_outputs(graph: LayerGraph) -> None:
    """Raises Unsupported for an output of the model that is a constant."""
    if graph.fixed_outputs:
        message = f"the output {graph.fixed_outputs[0]} is a constant, which no layer of Keras gives"
        fix = "leave it out of the model's outputs: its values stand in the file"
        raise Unsupported(message, where=graph.path, fix=fix)


def _pool(settings: Settings) -> str | None:
    dilation = settings.get("dilation") or ()
    return _longer("dilations", dilation, "Keras's pools have none") if max(dilation, default=1) > 1 else None


def _convolution(settings: Settings) -> str | None:
    strides, dilation = settings.get("strides") or (1,), settings.get("dilation") or (1,)
    if min(*strides, *dilation) < 1:
        return f"has strides {list(strides)} and dilations {list(dilation)}, expected numbers above zero"
    if max(strides) == 1 or max(dilation) == 1:
        return None
    return _longer("dilations", dilation, f"and strides {list(strides)}, and Keras's layer takes one of both")


def _longer(word: str, numbers: Sequence[int], reason: str) -> str:
    joint = " " if reason.startswith("and ") else ", and "
    return f"has {word} {list(numbers)}{joint}{reason}"


def _batch_norm(settings: Settings) -> str | None:
    if settings.get("training_mode"):
        return "says training_mode=1: it normalises by the batch, and Keras's layer by what it stored"
    if settings.get("spatial") == 0:
        return "says spatial=0: it has statistics for each place, and Keras's layer for each channel"
    return None


def _mod(settings: Settings) -> str | None:
    return "says fmod=1: the rest has the sign of what is divided" if settings.get("fmod") else None


def _recurrent(settings: Settings) -> str | None:
    fixed = settings.get("fixed_inputs")
    if fixed:
        return f"is given constants as {', '.join(fixed)}, which Keras's layer does not take"
    if settings.get("given_to_both"):
        return f"is given {', '.join(settings['given_to_both'])} in both directions"
    if settings.get("hidden_activation"):
        return f"has another activation of its output than of its cells: {settings['hidden_activation']}"
    other = settings.get("backward_activations")
    return f"has other activations backwards: {', '.join(map(str, other))}" if other else None


BY_OP: Mapping[str, Callable[[Settings], str | None]] = {
    "Pool": _pool,
    **dict.fromkeys(("Conv", "ConvTranspose"), _convolution),
    "BatchNorm": _batch_norm,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
}
BY_CLASS: Mapping[str, Callable[[Settings], str | None]] = {"Mod": _mod}
