"""Steps that do not count: the layer that says so, and a mean over the others."""

from collections.abc import Mapping

from weightbridge.converting.from_graph.arrange import as_source
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

MASK = "mask"
SEQUENCE = 3  # axes: batch, steps, channels


def _masking(call: Call) -> Value:
    """(batch, steps, channels), as Keras's layer looks at the last axis alone."""
    value = as_source(call.writer, call.first, call.name)
    config = {"mask_value": call.settings["mask_value"]}
    name = call.writer.layer("Masking", call.name, config, value)
    call.writer.masks[name, 0] = str(call.settings["kept"])
    return value.after(name)


def _masked_mean(call: Call) -> Value:
    """The mean over steps; the second input says which count."""
    value, mask = call.inputs
    if value.layout.rank != SEQUENCE or mask.layout.rank != SEQUENCE - 1:
        raise Unsupported("is a mean over steps that count, of a value that is no sequence")
    value = as_source(call.writer, value, call.name)
    shown = as_source(call.writer, mask, call.name)
    keeps = bool(call.settings["keepdims"])
    name = call.writer.layer("GlobalAveragePooling1D", call.name, {"keepdims": keeps}, value)
    call.writer.with_arguments(name, {MASK: shown})
    shape = value.layout.source_shape
    return Value(name, 0, 0, plain([None, 1, shape[2]] if keeps else [None, shape[2]]), value.dtype)


CLASSES: Mapping[str, Builder] = {"Masking": _masking, "MaskedMean": _masked_mean}
