"""A weight that stands beside a value in a Concat, the same for every item of a batch."""

from dataclasses import replace

from weightbridge.converting.from_graph.arrange import as_source
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.weighted import weighted
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Tensor

NAMELESS = "joins a value with a weight along other axes than steps"


def token(call: Call, tensor: Tensor | None) -> Value:
    """(1, tokens, channels) as a value: as many steps of the value beside it, times 0, plus the weight.

    Keras has no layer that gives a weight alone.
    """
    value = as_source(call.writer, call.first, call.name)
    length = value.layout.source_shape[1] if value.layout.rank == 3 else None
    if tensor is None or int(call.settings["axis"]) % 3 != 1 or length is None:
        raise Unsupported(NAMELESS)
    count = tensor.shape[1] if len(tensor.shape) == 3 and tensor.shape[0] == 1 else 0
    if not 0 < count <= length:
        raise Unsupported(NAMELESS)
    cut = call.writer.layer("Cropping1D", f"{tensor.name}_place", {"cropping": [0, length - count]}, value)
    shape = (None, count, value.layout.source_shape[2])
    place = Value(cut, 0, 0, plain(shape, range(3)), value.dtype)
    none = call.writer.layer("Rescaling", f"{tensor.name}_zero", {"scale": 0.0, "offset": 0.0}, place)
    layer = replace(call.layer, name=tensor.name, class_name="Add")
    fed = replace(call, layer=layer, inputs=(place.after(none),))
    return weighted(fed, tensor, is_first=False)
