"""The file that OUTPUT is a copy of: the target itself, or the same model under OUTPUT's suffix."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from weightbridge.errors import UsageError
from weightbridge.formats.sniffing.content import sniff
from weightbridge.model.graph import LayerGraph

WEIGHTS = "model.weights.h5"
# suffix of OUTPUT -> formats of a target that can be written under it as they are
WRITABLE: dict[str, tuple[str, ...]] = {
    ".weights.h5": ("keras-weights-h5", "keras-h5-weights"),
    ".keras": ("keras-zip",),
    ".h5": ("keras-h5", "keras-h5-weights"),
    ".hdf5": ("keras-h5", "keras-h5-weights"),
    ".onnx": ("onnx",),
    ".safetensors": ("safetensors",),
}
WHOLE = ("keras-zip", "keras-h5")  # what Keras can load, and save under another of its suffixes


@dataclass(frozen=True, slots=True)
class Template:
    """What is planned for, and the file to copy: names, shapes and dtypes of both are the same.

    target: the target's graph, with all that its own format says of it; of a target in code its path is the
    template's.
    """

    target: LayerGraph
    file: LayerGraph


@contextmanager
def template_of(target: Any, output: Path, arguments: Mapping[str, Any] | None = None) -> Iterator[Template]:
    """The target and a file of OUTPUT's format with its structure.

    Temporary files go when the context ends.

    Raises UsageError where the target cannot be written under this suffix.
    """
    suffix = next(s for s in WRITABLE if output.name.endswith(s))
    is_code = not isinstance(target, str | Path) or (isinstance(target, str) and target.startswith("py:"))
    format = "python" if is_code else sniff(Path(target))
    if format in WRITABLE[suffix]:
        graph = _read(Path(target))
        yield Template(graph, graph)
        return
    with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
        made = Path(folder) / f"target{suffix}"
        graph = (
            _from_code(target, made, arguments) if is_code else _from_file(Path(target), format, made, output)
        )
        yield Template(graph, _same(graph, _read(made), output))


def _from_code(target: Any, made: Path, arguments: Mapping[str, Any] | None) -> LayerGraph:
    """The code is called once: what it builds may be another model every time."""
    live = import_module("weightbridge.formats.keras.framework.live")
    model = live.load_callable(target, dict(arguments or {})) if isinstance(target, str) else target
    graph: LayerGraph = live.read(model)
    if made.suffix == ".safetensors":
        _as_safetensors(graph, made)
    else:
        _saved(live, model, made)
    return replace(graph, path=str(made))


def _from_file(target: Path, format: str, made: Path, output: Path) -> LayerGraph:
    graph = _read(target)
    if made.suffix == ".safetensors":
        _as_safetensors(graph, made)
    elif made.name.endswith(".weights.h5") and format == "keras-zip":
        _extract(target, made)
    elif made.suffix in (".h5", ".hdf5", ".keras") and format in WHOLE:
        model = import_module("weightbridge.formats.keras.framework.load").load(target)
        _saved(import_module("weightbridge.formats.keras.framework.live"), model, made)
    else:
        fix = f"choose an OUTPUT that ends with {' or '.join(s for s, known in WRITABLE.items() if format in known) or '.safetensors'}"
        raise UsageError(
            f"a {format} target cannot be written as {made.name.removeprefix('target')}",
            where=str(output),
            fix=fix,
        )
    return graph


def _saved(live: Any, model: Any, made: Path) -> None:
    """Keras knows `.h5` alone, `.hdf5` is the same."""
    written = made.with_suffix(".h5") if made.suffix == ".hdf5" else made
    live.save(model, written)
    written.replace(made)


def _read(path: Path) -> LayerGraph:
    found: LayerGraph = import_module("weightbridge.formats").read(path)
    return found


def _extract(archive: Path, made: Path) -> None:
    """Unpacks the weights; reading the copy checks it before anything is written to OUTPUT."""
    with zipfile.ZipFile(archive) as opened, opened.open(WEIGHTS) as member, made.open("wb") as file:
        shutil.copyfileobj(member, file, 1 << 20)


def _as_safetensors(graph: LayerGraph, made: Path) -> None:
    import_module("weightbridge.formats.safetensors.file").write_new(made, graph.tensors)


def _same(graph: LayerGraph, file: LayerGraph, output: Path) -> LayerGraph:
    """Raises UsageError unless every tensor of the target stands in the template."""
    stored = {t.name: (t.shape, t.dtype) for t in file.tensors}
    other = [t.name for t in graph.tensors if stored.get(t.name) != (t.shape, t.dtype)]
    if other:
        message = (
            f"{len(other)} of the target's tensors cannot be stored as they are in {output.name} ({other[0]})"
        )
        raise UsageError(
            message, where=str(output), fix="choose the suffix of the target itself, or .safetensors"
        )
    return file
