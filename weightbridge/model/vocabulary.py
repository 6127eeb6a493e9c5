"""The canonical ops (docs/attributes.md) as sets, each named by the property that its members share.

A set that one place alone needs is a union or difference of these, written where it is used.
"""

Ops = frozenset[str]

# Layers with kernels
CONVOLUTIONS: Ops = frozenset({"Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"})
SINGLE_KERNEL_CONVOLUTIONS: Ops = CONVOLUTIONS - {"SeparableConv"}
FORWARD_CONVOLUTIONS: Ops = CONVOLUTIONS - {"ConvTranspose"}  # whose input is padded
DENSE: Ops = frozenset({"Dense", "EinsumDense"})
ACTIVATED: Ops = CONVOLUTIONS | DENSE  # that have an `activation` of their own
RECURRENT: Ops = frozenset({"LSTM", "GRU", "RNN"})

# Layers with one number per channel
LAYER_STATISTICS_NORMS: Ops = frozenset(
    {"LayerNorm", "GroupNorm", "RMSNorm"}
)  # of the statistics of their input
NORMS: Ops = LAYER_STATISTICS_NORMS | {"BatchNorm"}
AFFINE: Ops = frozenset({"Scale", "Shift"})
CHANNEL_AFFINE: Ops = AFFINE | {"BatchNorm"}  # at inference: a product and a sum per channel
INPUT_SCALING: Ops = frozenset({"Rescaling", "Normalization"})

# Layers that join inputs
ELEMENTWISE_MERGES: Ops = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
COMMUTATIVE: Ops = ELEMENTWISE_MERGES - {"Subtract"}
PRODUCTS: Ops = frozenset({"Dot", "MatMul"})
MERGES: Ops = ELEMENTWISE_MERGES | PRODUCTS | {"Concat", "Attention"}

# Layers that pass every value on at inference
COPIES: Ops = frozenset({"Identity", "Cast"})
IN_TRAINING: Ops = frozenset({"Dropout", "Noise"})  # that act in training alone
PASSING: Ops = COPIES | IN_TRAINING

# Layers that keep values and change axes
RESHAPES: Ops = frozenset({"Flatten", "Reshape"})
VIEWS: Ops = RESHAPES | {"Permute"}

# Layers that change the lengths of spatial axes
POOLS: Ops = frozenset({"Pool", "GlobalPool"})
BORDERS: Ops = frozenset({"Pad", "Crop"})
SPATIAL: Ops = POOLS | BORDERS | {"Resize"}

# Layers of which nothing is known: each may be an activation as well
UNKNOWN: Ops = frozenset({"Opaque", "Lambda"})

OPS: Ops = frozenset[str]().union(
    {"Input", "Embedding", "Activation", "Masking", "Repeat", "Slice"},
    CONVOLUTIONS,
    DENSE,
    RECURRENT,
    NORMS,
    AFFINE,
    INPUT_SCALING,
    MERGES,
    PASSING,
    VIEWS,
    SPATIAL,
    UNKNOWN,
)
