"""Further operations of TensorFlow that only compute: no file, no state, no code of somebody else's."""

_NUMBERS = (
    "Acos Acosh All Any Asin Asinh Atan Atan2 Atanh Cosh Cumprod Cumsum Digamma Erfinv Expm1 FloorDiv "
    "FloorMod IsFinite IsInf IsNan L2Loss LRN Lgamma Log1p Mod MulNoNan Rint Sinh Tan TruncateDiv "
    "TruncateMod Xdivy Xlogy"
)
_ARRAYS = (
    "BroadcastArgs Bucketize GatherNd IdentityN InvertPermutation LinSpace MatrixBandPart MatrixDiagV3 "
    "OneHot OnesLike RandomUniform Rank Reverse ReverseSequence Roll ScatterNd SegmentSum ShapeN Size "
    "TensorScatterUpdate TopKV2 UnsortedSegmentSum Where ZerosLike"
)
_SIGNALS = "Complex ComplexAbs Conj FFT IFFT IRFFT Imag RFFT RFFT2D Real"
_IMAGES = (
    "AdjustContrastv2 AdjustHue AdjustSaturation Conv3DBackpropInputV2 CropAndResize Dilation2D HSVToRGB "
    "ImageProjectiveTransformV3 RGBToHSV ResizeArea ResizeBicubic"
)
PURE: frozenset[str] = frozenset(" ".join((_NUMBERS, _ARRAYS, _SIGNALS, _IMAGES)).split())
