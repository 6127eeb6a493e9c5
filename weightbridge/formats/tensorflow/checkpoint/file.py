"""TensorFlow's checkpoints (V2): by names (TensorFlow 1, `Saver`) or by objects (TensorFlow 2)."""

import re
from collections.abc import Iterable
from math import prod
from pathlib import Path

from weightbridge.errors import Corrupt, ExternalReference, MissingFile, OutputError, Unsupported
from weightbridge.formats.keras.variables.loose import chain
from weightbridge.formats.tensorflow.bundle.read import Bundle, read_bundle
from weightbridge.formats.tensorflow.bundle.values import load_text
from weightbridge.formats.tensorflow.checkpoint.layers import layers_of
from weightbridge.formats.tensorflow.checkpoint.names import OBJECTS, Named, by_names, by_objects
from weightbridge.formats.tensorflow.tracked import Tracked, parse_tracked
from weightbridge.model.graph import Excluded, Layer, LayerGraph, Order
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Array, Tensor

FORMAT = "tf-checkpoint"
POINTER = "checkpoint"
# Where Keras 3 and Keras 2 keep a model's list of layers
LISTED = re.compile(r"(^|/)(_operations/\d+|layer_with_weights-\d+)/")
LATEST = re.compile(r'^model_checkpoint_path: "([^"\\]+)"', re.MULTILINE)
LARGEST_POINTER = 1 << 20


def read(path: Path) -> LayerGraph:
    """The layers of a checkpoint. Raises a ModelError.

    path: a prefix, its `.index`, one of its data files, a `checkpoint` file, or the folder that holds these.
    """
    bundle = read_bundle(prefix_of(path))
    objects = tracked_of(bundle)
    named = by_objects(objects, bundle.entries) if objects else by_names(bundle.entries)
    weights = [n for n in named if n.reason is None]
    if not weights:
        raise Corrupt(
            "the checkpoint holds no weights", where=str(path), fix="Build the model before it is saved"
        )
    layers = layers_of(bundle, weights, is_sorted=not objects)
    return LayerGraph(
        path=str(path),
        format=FORMAT,
        framework="keras",
        producer="tensorflow 2" if objects else "tensorflow",
        layers=with_axes(layers, "keras"),
        edges=chain(layers),
        order=order_of(layers),
        excluded=excluded(bundle, named),
        files=tuple(str(f) for f in files_of(bundle) if f != path),
    )


def order_of(layers: Iterable[Layer]) -> Order:
    """The model's where it kept its list of layers; else a checkpoint has names of attributes alone."""
    is_list = all(LISTED.search(tensor.key) for layer in layers for tensor in layer.tensors)
    return "list" if is_list else "none"


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Array]]) -> None:
    """Checkpoints are read only."""
    raise OutputError(
        "TensorFlow's checkpoints are read only",
        where=template.path,
        fix="Choose an OUTPUT that ends with .safetensors",
    )


def tracked_of(bundle: Bundle) -> tuple[Tracked, ...]:
    """The checkpoint's graph of objects, () where it has none."""
    if OBJECTS not in bundle.entries:
        return ()
    try:
        return parse_tracked(load_text(bundle, OBJECTS))
    except Corrupt as error:
        raise Corrupt(
            error.message, where=error.where or f"{bundle.prefix}: {OBJECTS}", fix="Copy the checkpoint again"
        ) from error


def excluded(bundle: Bundle, named: Iterable[Named]) -> tuple[Excluded, ...]:
    """What is stored and no weight."""
    no_weights = [(variable, variable.reason) for variable in named if variable.reason]
    return tuple(
        Excluded(variable.name, reason, prod(bundle.entries[variable.key].shape))
        for variable, reason in no_weights
    )


def files_of(bundle: Bundle) -> list[Path]:
    """The index and the data files that it speaks of."""
    prefix = bundle.prefix
    index = prefix.with_name(f"{prefix.name}.index")
    stored = (*bundle.entries.values(), *bundle.parts.values())
    shards = {entry.shard for entry in stored if not entry.slices}
    data_files = [bundle.file(shard) for shard in sorted(shards)]
    return [index, *data_files]


def prefix_of(path: Path) -> Path:
    """The checkpoint that a path means.

    Raises Unsupported for a folder of several, ExternalReference for a pointer that leads out.
    """
    if path.is_dir():
        return _in_folder(path)
    if path.name == POINTER and not path.with_name(f"{POINTER}.index").exists():
        return _pointed(path)
    return path.with_name(path.name.removesuffix(".index").split(".data-")[0])


def _in_folder(folder: Path) -> Path:
    pointer = folder / POINTER
    if pointer.is_file():
        return _pointed(pointer)
    names = sorted(p.name.removesuffix(".index") for p in folder.iterdir() if p.name.endswith(".index"))
    if len(names) != 1:
        shown = ", ".join(names[:5])
        raise Unsupported(
            f"a folder of {len(names)} checkpoints: {shown}",
            where=str(folder),
            fix="Give the path of one, such as its .index",
        )
    return folder / names[0]


def _pointed(pointer: Path) -> Path:
    """The checkpoint that the text file names as the latest; it must lie beside it."""
    where, fix = str(pointer), "Give the .index file"
    if pointer.stat().st_size > LARGEST_POINTER:
        raise Corrupt("no text that names a checkpoint", where=where, fix=fix)
    match = LATEST.search(pointer.read_text("utf-8", "replace"))
    if match is None:
        raise Corrupt("no text that names a checkpoint", where=where, fix=fix)
    name = match[1]
    if Path(name).name != name:
        raise ExternalReference(
            f"it names a checkpoint elsewhere: {name!r}", where=where, fix=f"{fix} itself"
        )
    prefix = pointer.with_name(name)
    if not prefix.with_name(f"{prefix.name}.index").exists():
        raise MissingFile(f"it names {prefix.name}, which is not there", where=where, fix=f"{fix} itself")
    return prefix
