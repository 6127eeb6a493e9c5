"""What a folder or a checkpoint's prefix is."""

from pathlib import Path

from weightbridge.errors import MissingFile

MODELS = (".keras", ".h5", ".hdf5", ".onnx", ".safetensors", ".weights.json")


def folder_format(path: Path) -> str:
    """`saved-model` or `tf-checkpoint`. Raises MissingFile for a folder that is neither."""
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names or "saved_model.pbtxt" in names:
        return "saved-model"
    if any(n.endswith(".index") for n in names):
        return "tf-checkpoint"
    inside = [n for n in names if n.endswith(MODELS)]
    fix = f"Give a file in it, such as {inside[0]}" if inside else "Give the path of a model's file"
    raise MissingFile("a folder without a model that can be read as a whole", where=str(path), fix=fix)


def is_checkpoint(path: Path) -> bool:
    """Whether this is a TensorFlow checkpoint's prefix or one of its data files, which have no signature of their own."""
    prefix = path.name.split(".data-")[0]
    try:
        return (path.name != prefix or not path.exists()) and bool(prefix) and path.with_name(f"{prefix}.index").is_file()
    except (OSError, ValueError):
        return False
