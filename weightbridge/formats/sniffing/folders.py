"""What a folder or a checkpoint's prefix is."""

import re
from collections.abc import Sequence
from pathlib import Path

from weightbridge.boundary.records import dataclass
from weightbridge.errors import MissingFile

INDEXES: dict[str, tuple[str, ...]] = {  # format -> how the index of a folder with several files ends
    "safetensors": (".safetensors.index.json",),
    "torch-zip": (".bin.index.json", ".pt.index.json", ".pth.index.json"),
}
POINTER = "checkpoint"  # the text file that names the latest of a folder's checkpoints
BESIDE = (  # what training leaves beside a model
    *("training_args", "optimizer", "scheduler", "scaler", "rng_state", "random_states", "trainer_state"),
    *("tokenizer", "config"),
)
STEMS = ("model", "pytorch_model", "tf_model")  # what transformers calls one model in its formats
PREFERRED = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".keras", ".h5", ".hdf5", ".onnx")
SHARD = re.compile(r"-\d+-of-\d+$")
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


@dataclass(frozen=True, slots=True)
class Inside:
    """The model's file in a folder, and other files of the same model, which are not read."""

    file: Path
    others: tuple[str, ...] = ()


def model_in(folder: Path) -> Inside | None:
    """The one model in a folder that holds it as a single file; None for any other path.

    model.safetensors, pytorch_model.bin, config.json -> model.safetensors
    """
    names = _names(folder)
    candidates = [name for name in names if _may_be_model(name)]
    if _is_one_model(names) or len({_stem(name) for name in candidates}) != 1:
        return None
    first, *others = sorted(candidates, key=lambda name: PREFERRED.index(Path(name).suffix))
    return Inside(folder / first, tuple(others))


def _names(folder: Path) -> list[str]:
    """What is in a folder; nothing where it cannot be read, of which sniffing says the reason."""
    try:
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    except (OSError, ValueError):
        return []


def _is_one_model(names: Sequence[str]) -> bool:
    """Whether the files are one model together: a SavedModel, a checkpoint, shards with their index."""
    is_whole = any(name.startswith("saved_model.pb") or name.endswith(".index") for name in names)
    return is_whole or bool(_format_of_shards(names))


def model_file(path: Path) -> Path:
    """The model's file where `path` is a folder with one, else `path`."""
    inside = model_in(path)
    return path if inside is None else inside.file


def _may_be_model(name: str) -> bool:
    stem, suffix = Path(name).stem, Path(name).suffix
    return suffix in PREFERRED and not stem.startswith(BESIDE) and not SHARD.search(stem)


def _stem(name: str) -> str:
    stem = Path(name).stem
    return STEMS[0] if stem in STEMS else stem


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
