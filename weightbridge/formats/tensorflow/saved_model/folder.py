"""The files of a SavedModel's folder: no link out of it is followed, and no file is larger than it may be."""

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from weightbridge.errors import ExternalReference, MissingFile, ResourceBomb, Unsupported
from weightbridge.formats.opening import placed
from weightbridge.formats.tensorflow.bundle.read import Bundle, read_bundle
from weightbridge.formats.tensorflow.checkpoint.file import files_of, tracked_of
from weightbridge.formats.tensorflow.checkpoint.names import Named, by_names, by_objects
from weightbridge.formats.tensorflow.saved_model.proto import MetaGraph, parse_saved_model
from weightbridge.formats.tensorflow.tracked import Tracked
from weightbridge.formats.wire import Buffer

MODEL, METADATA, VARIABLES = "saved_model.pb", "keras_metadata.pb", "variables/variables"
LARGEST = 2 << 30  # protobuf's own limit
DAMAGED = "Copy the folder again, or save the model again"


class Stored(NamedTuple):
    """The variables beside the graph, the objects that hold them, and what each is called."""

    bundle: Bundle
    tracked: tuple[Tracked, ...]
    named: Sequence[Named]


def parsed(path: Path) -> tuple[Path, MetaGraph, Buffer]:
    """The folder, the model in it, and the bytes of its file."""
    folder = path if path.is_dir() else path.parent
    file = inside(folder, MODEL) if path.is_dir() else path
    if not file.is_file():
        raise Unsupported(
            "a SavedModel as text (.pbtxt)", where=str(folder), fix="Save it again as saved_model.pb"
        )
    data = mapped(file)
    with placed(file, DAMAGED):
        return folder, parse_saved_model(data), data


def stored_in(folder: Path) -> Stored | None:
    """None where the folder holds no variables. Raises ExternalReference for a link out of it."""
    if not inside(folder, f"{VARIABLES}.index").exists():
        return None
    bundle = read_bundle(inside(folder, VARIABLES))
    for file in files_of(bundle):
        inside(folder, str(file.relative_to(folder)))
    tracked = tracked_of(bundle)
    named = by_objects(tracked, bundle.entries) if tracked else by_names(bundle.entries)
    return Stored(bundle, tracked, named)


def mapped(file: Path) -> Buffer:
    """A file's bytes. Raises MissingFile or ResourceBomb."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            if size > LARGEST:
                raise ResourceBomb(
                    f"{size} bytes are more than a SavedModel may have",
                    where=str(file),
                    fix="Check what this file is",
                )
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(file), fix="Check the path and its permissions"
        ) from error


def inside(folder: Path, name: str) -> Path:
    """A file of the folder; a link that leads out of it is not followed."""
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ExternalReference(
            "a link out of the folder, which is not followed",
            where=str(file),
            fix="Copy the file into the folder",
        )
    return file


def files(folder: Path) -> list[Path]:
    """All files of the folder but links."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(file for file in found if not file.is_symlink())
