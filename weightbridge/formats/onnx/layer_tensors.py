"""Drafts with their names -> layers, with the tensors that belong to each and the axes as stored."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from weightbridge.formats.onnx.drafts import Draft, Site, is_codes
from weightbridge.formats.onnx.proto import TensorHeader
from weightbridge.formats.onnx.tensors import dtype_name
from weightbridge.formats.onnx.values.stored_axes import stored_axes
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Array, Computed, Tensor

Loader = Callable[[TensorHeader], Callable[[], Array]]


class LayerTensors:
    """The tensors given out so far: each belongs to the first layer that reads it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.headers: dict[str, TensorHeader] = {}
        self.names: dict[int, str] = {}
        self.owners: dict[int, str] = {}

    def layer(self, site: Site, draft: Draft, name: str, layout: str | None) -> Layer:
        own, tied = self._own_and_tied(draft, name)
        shape = site.shapes.get(own_value(draft))
        attributes: dict[str, Any] = {**draft.attributes, **_of_storage(draft)}
        if layout and shape is not None and len(shape) > 2:
            attributes["data_format"] = layout
        if tied:
            attributes["tied"] = tied
        if tied and not own:
            attributes["shared_with"] = self.owners[id(draft.slots[0].constant.header)]
        shown = shape[1:] if shape is not None else None
        return Layer(name, draft.op, draft.class_name, attributes, own, shown, draft.details)

    def _own_and_tied(self, draft: Draft, name: str) -> tuple[tuple[Tensor, ...], dict[str, str]]:
        own, tied = [], {}
        for slot in draft.slots:
            header = slot.constant.header
            if id(header) in self.names:
                tied[slot.role] = self.names[id(header)]
            else:
                own.append(self._tensor(slot.role, slot.constant.name, header, name))
        return tuple(own), tied

    def _tensor(self, role: str, name: str, header: TensorHeader, layer: str) -> Tensor:
        unique = name or f"{layer}/{role}"
        n = 1
        while unique in self.headers:
            n += 1
            unique = f"{name or layer}~{n}"
        self.headers[unique] = header
        self.names[id(header)], self.owners[id(header)] = unique, layer
        dtype, load = dtype_name(header), self.loader(header)
        return Tensor(unique, role, header.dims, dtype, unique, load, computed=_computed(header))


def _computed(header: TensorHeader) -> Computed | None:
    """How the floats of a quantised tensor come about, for the plan to say."""
    if header.joined is not None:
        return next(filter(None, map(_computed, header.joined.tensors)), None)
    scaling = header.scaling
    if scaling is None:
        return None
    stored = dtype_name(replace(header, scaling=None))
    said: dict[str, Any] = {"stored": stored, "scale": scaling.scale.name, "axis": scaling.axis}
    if scaling.zero is not None:
        said["zero_point"] = scaling.zero.name
    if scaling.factor is not None:
        said["scale_of_data"] = scaling.factor.name
    if scaling.block:
        said["block"] = scaling.block
    return Computed((), "dequantised", said)


def own_value(draft: Draft) -> str:
    """What a layer gives to the next one.

    Of a convolution whose bias is added behind a Permute this is the map that is turned then.
    """
    is_turned = "data_format" in draft.attributes and draft.shown not in draft.outputs
    return draft.outputs[0] if is_turned and draft.outputs else draft.shown


def _of_storage(draft: Draft) -> dict[str, Any]:
    """What is to be said about the way in which a layer's tensors are stored."""
    said: dict[str, Any] = {}
    axes = _axes_as_stored(draft)
    if "kernel" in axes and "transposed" in draft.attributes:
        said["transposed"] = axes["kernel"] == "o i"
    if axes:
        said["layouts"] = axes
    codes = {slot.role: "" for slot in draft.slots if is_codes(slot.constant)}
    return said | ({"quantised": codes} if codes else {})


def _axes_as_stored(draft: Draft) -> dict[str, str]:
    """By role: the axes of tensors that are stored otherwise than the layer sees them."""
    axes = {}
    for slot in draft.slots:
        constant = slot.constant
        stored = stored_axes(slot.axes, constant.views, constant.header.dims) if slot.axes else ""
        if stored != slot.axes:
            axes[slot.role] = stored
    return axes
