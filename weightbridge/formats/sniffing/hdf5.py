"""Which of Keras's three HDF5 layouts a file has."""

from pathlib import Path

from weightbridge.errors import Corrupt, Unsupported

OBJECTS = 2000  # how many objects are looked at for a group of Keras 3's weights


def hdf5_format(path: Path) -> str:
    """`keras-h5`, `keras-h5-weights` or `keras-weights-h5`. Raises Corrupt or Unsupported."""
    import h5py  # only a file with HDF5's signature needs it

    try:
        with h5py.File(path, "r") as file:
            names = list(file)
            format = _keras_format(file, set(file.attrs), names)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise Corrupt(
            f"an HDF5 file that cannot be opened: {error}",
            where=str(path),
            fix="It may be truncated: copy or download it again",
        ) from error
    if format:
        return format
    groups = ", ".join(map(repr, names[:5])) or "nothing"
    raise Unsupported(
        f"an HDF5 file of {groups}, not written by Keras", where=str(path), fix="Give a file that Keras saved"
    )


def _keras_format(file: "h5py.File", attributes: set[str], names: list[str]) -> str:  # type: ignore[name-defined]  # noqa: F821
    """The layout, "" for a file that is none of Keras's."""
    if "model_config" in attributes or "model_weights" in names:
        return "keras-h5"
    if attributes & {"layer_names", "layer_names0"}:
        return "keras-h5-weights"
    if "layers" in names or "_layer_checkpoint_dependencies" in names or _has_variables(file):
        return "keras-weights-h5"
    return ""


def _has_variables(file: "h5py.File") -> bool:  # type: ignore[name-defined]  # noqa: F821  # imported late
    """Whether a group `vars` stands anywhere near the root; links out of the file are not followed."""
    left = iter(range(OBJECTS))

    def visit(name: str | bytes) -> bool | None:  # bytes where a damaged name is no UTF-8
        if str(name) == "vars" or str(name).endswith("/vars"):
            return True
        return None if next(left, None) is not None else False

    return bool(file.visit(visit))
