"""The table of Keras's layer classes.

The canonical op of each, and the roles of its variables in the order that Keras 3 stores them.
"""

import re
from collections.abc import Mapping
from typing import Any

from weightbridge.boundary.records import dataclass


@dataclass(frozen=True, slots=True)
class LayerClass:
    """op: the canonical one.

    variables: `role`, or `role?key` where the config decides whether the variable is there, by truth or value
    (`role?key=value`, `role?key!=value`).
    """

    op: str
    variables: tuple[str, ...] = ()


def _rows(*rows: tuple[str, str, str]) -> dict[str, LayerClass]:
    return {
        name: LayerClass(op, tuple(variables.split()))
        for op, names, variables in rows
        for name in names.split()
    }


NORM = "gamma?scale beta?center"
CONV = "kernel bias?use_bias"
SEPARABLE = "depthwise_kernel pointwise_kernel bias?use_bias"
RENORM = "moving_stddev?renorm=True renorm_mean?renorm=True renorm_stddev?renorm=True"
RECURRENT = "kernel recurrent_kernel bias?use_bias"

CLASSES: Mapping[str, LayerClass] = _rows(
    ("Input", "InputLayer", ""),
    ("Conv", "Conv1D Conv2D Conv3D", CONV),
    ("ConvTranspose", "Conv1DTranspose Conv2DTranspose Conv3DTranspose", CONV),
    ("DepthwiseConv", "DepthwiseConv1D DepthwiseConv2D", CONV),
    ("SeparableConv", "SeparableConv1D SeparableConv2D", SEPARABLE),
    ("Dense", "Dense", CONV),
    ("EinsumDense", "EinsumDense", "kernel bias?bias_axes"),
    (
        "BatchNorm",
        "BatchNormalization SyncBatchNormalization BatchNormalizationV1",
        f"{NORM} moving_mean moving_variance {RENORM}",
    ),
    ("LayerNorm", "LayerNormalization", NORM),
    ("GroupNorm", "GroupNormalization", NORM),
    ("RMSNorm", "RMSNormalization", "gamma"),
    ("Embedding", "Embedding", "embeddings"),
    ("Embedding", "ReversibleEmbedding", "embeddings reverse_embeddings?tie_weights=False"),
    ("LSTM", "LSTM LSTMCell", RECURRENT),
    ("GRU", "GRU GRUCell", RECURRENT),
    ("RNN", "SimpleRNN SimpleRNNCell", RECURRENT),
    ("LSTM", "CuDNNLSTM", "kernel recurrent_kernel bias"),
    ("GRU", "CuDNNGRU", "kernel recurrent_kernel bias"),
    ("Attention", "MultiHeadAttention GroupQueryAttention GroupedQueryAttention", ""),
    ("Opaque", "ConvLSTM1D ConvLSTM2D ConvLSTM3D ConvLSTM1DCell ConvLSTM2DCell ConvLSTM3DCell", RECURRENT),
    ("Opaque", "LocallyConnected1D LocallyConnected2D", CONV),
    ("Opaque", "SpectralNormalization", "vector_u"),
    ("Opaque", "STFTSpectrogram", "real_kernel?mode!=imag imag_kernel?mode!=real"),
    ("Opaque", "Attention", "scale?use_scale concat_score_weight?score_mode=concat"),
    ("Opaque", "AdditiveAttention", "scale?use_scale"),
    ("Opaque", "UnitNormalization StackedRNNCells RNN Bidirectional TimeDistributed Wrapper", ""),
    ("Lambda", "Lambda", ""),
    ("Pool", "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D", ""),
    ("GlobalPool", "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", ""),
    ("GlobalPool", "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D", ""),
    ("Activation", "Activation ReLU LeakyReLU ELU Softmax ThresholdedReLU", ""),
    ("Activation", "PReLU", "alpha"),
    ("Add", "Add", ""),
    ("Subtract", "Subtract", ""),
    ("Multiply", "Multiply", ""),
    ("Average", "Average", ""),
    ("Maximum", "Maximum", ""),
    ("Minimum", "Minimum", ""),
    ("Dot", "Dot", ""),
    ("Concat", "Concatenate", ""),
    ("Flatten", "Flatten", ""),
    ("Reshape", "Reshape", ""),
    ("Permute", "Permute", ""),
    ("Pad", "ZeroPadding1D ZeroPadding2D ZeroPadding3D", ""),
    ("Crop", "Cropping1D Cropping2D Cropping3D CenterCrop", ""),
    ("Resize", "UpSampling1D UpSampling2D UpSampling3D Resizing", ""),
    ("Repeat", "RepeatVector", ""),
    ("Dropout", "Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout", ""),
    (
        "Noise",
        "GaussianNoise GaussianDropout AugMix CutMix MixUp RandAugment RandomBrightness "
        "RandomColorDegeneration",
        "",
    ),
    (
        "Noise",
        "RandomColorJitter RandomContrast RandomCrop RandomElasticTransform "
        "RandomErasing RandomFlip RandomGaussianBlur",
        "",
    ),
    (
        "Noise",
        "RandomGrayscale RandomHue RandomInvert RandomPerspective "
        "RandomPosterization RandomRotation RandomSaturation",
        "",
    ),
    ("Noise", "RandomSharpness RandomShear RandomTranslation RandomZoom RandomHeight RandomWidth", ""),
    ("Opaque", "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D", ""),
    ("Opaque", "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", ""),
    (
        "Opaque",
        "AutoContrast CategoryEncoding ContrastLimitedAdaptiveHistogramEqualization "
        "Discretization Equalization Pipeline",
        "",
    ),
    (
        "Opaque",
        "HashedCrossing Hashing IntegerLookup MaxNumBoundingBoxes MelSpectrogram Solarization StringLookup",
        "",
    ),
    (
        "Opaque",
        "TextVectorization TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer Functional Sequential Model",
        "",
    ),
    ("Opaque", "Highway MaxoutDense SReLU ParametricSoftplus DenseFeatures", ""),
    ("Identity", "Identity ActivityRegularization", ""),
    ("Masking", "Masking", ""),
    ("Rescaling", "Rescaling", ""),
    ("Normalization", "Normalization", "mean?mean=None variance?mean=None"),
)
OPERATIONS: Mapping[str, str] = {
    "Add": "Add",
    "Subtract": "Subtract",
    "Multiply": "Multiply",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Concatenate": "Concat",
    "Reshape": "Reshape",
    "Transpose": "Permute",
    "GetItem": "Slice",
    "Matmul": "MatMul",
    "Cast": "Cast",
    "Identity": "Identity",
    "Relu": "Activation",
    "Relu6": "Activation",
    "Sigmoid": "Activation",
    "Tanh": "Activation",
    "Softmax": "Activation",
    "Gelu": "Activation",
    "Silu": "Activation",
}
STATE = (
    "optimizer",
    "_optimizer",
    "metrics",
    "_metrics",
    "compile_metrics",
    "_compile_metrics",
    "_loss_tracker",
    "loss_tracker",
    "loss",
    "_loss",
)


STORED_AS: Mapping[str, str] = {
    "GroupQueryAttention": "GroupedQueryAttention"
}  # the class behind the name that Keras exports
EXPORTED_AS: Mapping[str, str] = {behind: name for name, behind in STORED_AS.items()}
CALLED: Mapping[tuple[str, str], str] = {
    ("RMSNormalization", "gamma"): "scale"
}  # (class, role): Keras's own name of the variable


def variable_name(class_name: str, role: str) -> str:
    """What Keras calls the variable of a role: mostly the role itself."""
    return CALLED.get((class_name, role), role)


def snake_case(class_name: str) -> str:
    """The group's name that Keras 3 gives to a class (keras/src/utils/naming.py)."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


BY_GROUP: Mapping[str, str] = {  # storage groups and automatic names of Keras 2 and 3, then those of Keras 1
    **{name.lower(): name for name in CLASSES},
    **{f"convolution{n}d": f"Conv{n}D" for n in "123"},
    "input": "InputLayer",
    **{snake_case(name): name for name in CLASSES},
}


def roles(class_name: str, config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The roles of a class's variables, in Keras 3's order; None for a class that is not in the table."""
    entry = CLASSES.get(class_name)
    if entry is None:
        return None
    if class_name == "LayerNormalization" and config.get("rms_scaling"):
        return ("gamma",)
    return tuple(v.partition("?")[0] for v in entry.variables if _is_there(v, config))


def _is_there(variable: str, config: Mapping[str, Any]) -> bool:
    _, _, condition = variable.partition("?")
    key, _, value = condition.partition("=")
    if not key:
        return True
    if key.endswith("!"):
        return str(config.get(key[:-1])) != value
    if value:
        return str(config.get(key)) == value
    return bool(config.get(key, key not in ("bias_axes", "use_scale")))
