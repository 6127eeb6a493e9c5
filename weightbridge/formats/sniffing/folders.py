"""What a folder or a checkpoint's prefix is."""

from pathlib import Path

from weightbridge.errors import MissingFile

INDEXES: dict[str, tuple[str, ...]] = {  # format -> how the index of a folder with several files ends
    "safetensors": (".safetensors.index.json",),
    "torch-zip": (".bin.index.json", ".pt.index.json", ".pth.index.json"),
}
POINTER, LATEST = (
    "checkpoint",
    b"model_checkpoint_path:",
)  # the text file that names the latest of a folder's checkpoints
MODELS = (".keras", ".h5", ".hdf5", ".onnx", ".safetensors", ".weights.json", ".index.json")


def folder_format(path: Path) -> str:
    """`saved-model`, `tf-checkpoint`, or the format of the shards that an index names.

    Raises MissingFile for another folder.
    """
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names or "saved_model.pbtxt" in names:
        return "saved-model"
    if any(n.endswith(".index") for n in names):
        return "tf-checkpoint"
    for format, suffixes in INDEXES.items():
        if sum(n.endswith(suffixes) for n in names) == 1:
            return format
    inside = [n for n in names if n.endswith(MODELS)]
    fix = f"Give a file in it, such as {inside[0]}" if inside else "Give the path of a model's file"
    raise MissingFile("a folder without a model that can be read as a whole", where=str(path), fix=fix)


def is_checkpoint(path: Path) -> bool:
    """Whether this is a TensorFlow checkpoint: its prefix, a data file, or what names the latest one."""
    prefix = path.name.split(".data-")[0]
    try:
        if path.name == POINTER and path.is_file():
            with path.open("rb") as file:
                return file.read(len(LATEST)) == LATEST
        return (
            (path.name != prefix or not path.exists())
            and bool(prefix)
            and path.with_name(f"{prefix}.index").is_file()
        )
    except (OSError, ValueError):
        return False
