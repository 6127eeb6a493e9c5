"""What a folder or a checkpoint's prefix is."""

from collections.abc import Sequence
from pathlib import Path

from weightbridge.errors import MissingFile

INDEXES: dict[str, tuple[str, ...]] = {  # format -> how the index of a folder with several files ends
    "safetensors": (".safetensors.index.json",),
    "torch-zip": (".bin.index.json", ".pt.index.json", ".pth.index.json"),
}
POINTER = "checkpoint"  # the text file that names the latest of a folder's checkpoints
LATEST = b"model_checkpoint_path:"
MODELS = (".keras", ".h5", ".hdf5", ".onnx", ".safetensors", ".weights.json", ".index.json")


def folder_format(path: Path) -> str:
    """`saved-model`, `tf-checkpoint`, or the format of the shards that an index names.

    Raises MissingFile for another folder.
    """
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names or "saved_model.pbtxt" in names:
        return "saved-model"
    if any(name.endswith(".index") for name in names):
        return "tf-checkpoint"
    format = _format_of_shards(names)
    if format:
        return format
    inside = next((name for name in names if name.endswith(MODELS)), None)
    fix = f"Give a file in it, such as {inside}" if inside else "Give the path of a model's file"
    raise MissingFile("a folder without a model that can be read as a whole", where=str(path), fix=fix)


def _format_of_shards(names: Sequence[str]) -> str:
    """The format of which there is just one index, "" where there is none."""
    for format, suffixes in INDEXES.items():
        if sum(name.endswith(suffixes) for name in names) == 1:
            return format
    return ""


def is_checkpoint(path: Path) -> bool:
    """Whether this is a TensorFlow checkpoint: its prefix, a data file, or what names the latest one."""
    try:
        if path.name == POINTER and path.is_file():
            with path.open("rb") as file:
                return file.read(len(LATEST)) == LATEST
        prefix = path.name.split(".data-")[0]
        is_data_file = path.name != prefix
        may_be_prefix = bool(prefix) and (is_data_file or not path.exists())
        return may_be_prefix and path.with_name(f"{prefix}.index").is_file()
    except (OSError, ValueError):
        return False
