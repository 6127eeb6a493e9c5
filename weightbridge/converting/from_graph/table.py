"""Which module draws which layer, by what it is or by the source's class; imported when one is met."""

from collections.abc import Mapping
from importlib import import_module

from weightbridge.converting.from_graph.call import Builder
from weightbridge.converting.from_graph.layers.operations import CLASSES as OPERATIONS

# By what a layer is: the module whose BUILDERS draw it.
OPS: Mapping[str, str] = {
    "Activation": "layers.activations",
    **dict.fromkeys(("Conv", "DepthwiseConv", "SeparableConv"), "maps.convolutions"),
    **dict.fromkeys(("Dense", "EinsumDense", "Embedding"), "layers.dense"),
    "Slice": "parts.indexing",
    **dict.fromkeys(
        ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concat"), "layers.merging"
    ),
    **dict.fromkeys(("BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm"), "layers.norms"),
    "Cast": "layers.operations",
    **dict.fromkeys(("Pool", "GlobalPool"), "maps.pooling"),
    "MatMul": "layers.products",
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "sequences.recurrent"),
    "Repeat": "parts.repeating",
    "Resize": "maps.resizing",
    **dict.fromkeys(("Rescaling", "Scale", "Shift"), "layers.scales"),
    **dict.fromkeys(("Pad", "Crop"), "maps.spatial"),
    "ConvTranspose": "maps.transposed",
    **dict.fromkeys(("Permute", "Reshape", "Flatten", "Identity", "Dropout"), "views"),
}
REDUCED = ("Mean", "Sum", "Max", "Min", "Prod", "LogSumExp", "L1", "L2", "SumSquare", "LogSum")
# By the class of a layer that has no canonical op: the module whose CLASSES draw it.
OPAQUE: Mapping[str, str] = {
    "AttentionAlone": "layers.attended",
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), "maps.blocks"),
    **dict.fromkeys(("Masking", "MaskedMean"), "sequences.masked"),
    "Normalization": "layers.normalized",
    "PerItem": "parts.per_item",
    "PickedByItem": "parts.picked",
    **dict.fromkeys(OPERATIONS, "layers.operations"),
    **dict.fromkeys(("OneHot", "Einsum", "Trilu", "TopK"), "parts.picking"),
    "MatMul": "layers.products",
    **{f"Reduce{name}": "layers.reductions" for name in REDUCED},
    **dict.fromkeys(("Any", "All", "ArgMax", "ArgMin", "LpNormalization"), "layers.reductions"),
    "CumSum": "parts.repeating",
}
# Of a slice, by its class: the module and its table.
SLICES: Mapping[str, tuple[str, str]] = {
    "Gather": ("parts.indexing", "CLASSES"),
    "GatherElements": ("parts.picking", "SLICES"),
}


def by_op(op: str) -> Builder | None:
    return _builder(OPS[op], "BUILDERS", op) if op in OPS else None


def by_class(class_name: str) -> Builder | None:
    return _builder(OPAQUE[class_name], "CLASSES", class_name) if class_name in OPAQUE else None


def of_slice(class_name: str) -> Builder | None:
    return _builder(*SLICES[class_name], class_name) if class_name in SLICES else None


def _builder(module: str, table: str, name: str) -> Builder:
    builders = getattr(import_module(f"weightbridge.converting.from_graph.{module}"), table)
    builder: Builder = builders[name]
    return builder
