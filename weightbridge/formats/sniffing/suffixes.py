"""WB101: the content of a file is another format than its suffix says."""

from pathlib import Path

from weightbridge.errors.diagnostics import Finding, finding

SUFFIXES: dict[str, tuple[str, ...]] = {  # what users call a format; the longest suffix that fits counts
    ".weights.h5": ("keras-weights-h5",),
    ".weights.json": ("keras-weights-h5",),
    ".keras": ("keras-zip",),
    ".h5": ("keras-h5", "keras-h5-weights"),
    ".hdf5": ("keras-h5", "keras-h5-weights"),
    ".json": ("keras-json", "keras-weights-h5"),
    ".safetensors.index.json": ("safetensors",),
    ".bin.index.json": ("torch-zip",),
    ".index.json": ("safetensors", "torch-zip", "keras-weights-h5"),
    ".onnx": ("onnx",),
    ".safetensors": ("safetensors",),
    ".pb": ("saved-model", "tf-graph"),
    ".index": ("tf-checkpoint",),
    ".pt": ("torch-zip", "torch-legacy"),
    ".pth": ("torch-zip", "torch-legacy"),
    ".tflite": ("tflite",),
    ".npz": (),
    ".npy": (),
    ".pkl": (),
    ".pickle": (),
}
RENAME: dict[str, str] = {
    "keras-zip": ".keras",
    "keras-weights-h5": ".weights.h5",
    "keras-h5": ".h5",
    "keras-h5-weights": ".h5",
    "keras-json": ".json",
    "onnx": ".onnx",
    "safetensors": ".safetensors",
    "torch-zip": ".pt",
    "torch-legacy": ".pt",
    "tflite": ".tflite",
    "tf-graph": ".pb",
}
DESCRIBED: dict[str, str] = {
    "keras-zip": "a zipped Keras 3 model",
    "keras-weights-h5": "Keras 3 weights in HDF5",
    "keras-h5": "a whole model in the legacy HDF5 layout",
    "keras-h5-weights": "weights in the legacy HDF5 layout (Keras 1 and 2)",
    "keras-json": "a Keras configuration in JSON",
    "onnx": "an ONNX model",
    "safetensors": "safetensors",
    "torch-zip": "a PyTorch checkpoint",
    "torch-legacy": "a PyTorch checkpoint of the legacy kind",
    "saved-model": "a TensorFlow SavedModel",
    "tf-checkpoint": "a TensorFlow checkpoint",
    "tflite": "a TFLite model",
    "tf-graph": "a frozen TensorFlow graph",
}


def suffix_findings(path: Path, format: str) -> tuple[Finding, ...]:
    """One WB101 where the file's suffix promises another format; nothing for a suffix that promises none."""
    name = path.name.lower()
    suffix = max((s for s in SUFFIXES if name.endswith(s)), key=len, default="")
    if not suffix or format in SUFFIXES[suffix]:
        return ()
    content = f"{DESCRIBED.get(format, format)} ({format})"
    message = f"{path.name}: the suffix says {suffix}, but the content is {content}; read as that"
    stem = path.name[: -len(suffix)]
    return (
        finding(
            "WB101",
            message,
            fix=f"Rename it to {stem}{RENAME.get(format, '')}: other programs go by the suffix",
        ),
    )
