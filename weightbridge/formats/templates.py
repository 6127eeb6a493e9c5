"""The file that OUTPUT is a copy of: the target itself, or the same model under OUTPUT's suffix."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors import UsageError, WeightbridgeError
from weightbridge.formats.arguments import refuse_arguments
from weightbridge.formats.containers import archive as open_zip
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.sniffing.content import sniff
from weightbridge.formats.sniffing.folders import model_file
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
    read: Callable[[Path], LayerGraph] | None = (
        None  # what the file was read by, where formats.read is not it
    )


@contextmanager
def template_of(target: Any, output: Path, arguments: Mapping[str, Any] | None = None) -> Iterator[Template]:
    """The target and a file of OUTPUT's format with its structure.

    Temporary files go when the context ends. Raises UsageError where the target cannot be written under this
    suffix.
    """
    suffix = next(s for s in WRITABLE if output.name.endswith(s))
    target = target if _is_code(target) else model_file(Path(target))
    format = "python" if _is_code(target) else sniff(target)
    if format != "python":
        refuse_arguments(arguments)
    if format in WRITABLE[suffix]:
        graph = _read(Path(target))
        yield Template(graph, graph)
        return
    with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
        copy = Path(folder) / f"target{suffix}"
        if format == "python":
            graph = _from_code(target, copy, arguments)
        else:
            graph = _from_file(Path(target), format, copy, output)
        yield Template(graph, _same(graph, _read(copy), output))


def template_for(template: Template, target: LayerGraph) -> Template:
    """The template of a target whose layers were given tensors of their own meanwhile."""
    if target.tensors == template.target.tensors:
        return template
    if template.file is template.target:
        return Template(target, target)
    path = Path(template.file.path)
    _as_safetensors(target, path)
    return Template(target, _read(path))


def _is_code(target: Any) -> bool:
    if isinstance(target, str):
        return target.startswith("py:")
    return not isinstance(target, Path)


def _from_code(target: Any, copy: Path, arguments: Mapping[str, Any] | None) -> LayerGraph:
    """The code is called once: what it builds may be another model every time."""
    live = framework_module("weightbridge.formats.keras.framework.live")
    model = live.load_callable(target, dict(arguments or {})) if isinstance(target, str) else target
    return _of_model(live, model, copy)


def _of_model(live: Any, model: Any, copy: Path) -> LayerGraph:
    graph: LayerGraph = live.read(model)
    if copy.suffix == ".safetensors":
        _as_safetensors(graph, copy)
    else:
        _save(live, model, copy)
    return replace(graph, path=str(copy))


def _from_json(target: Path, copy: Path) -> LayerGraph:
    """An architecture's weights are about to come: until then they are as Keras initialises them."""
    live = framework_module("weightbridge.formats.keras.framework.live")
    model = framework_module("weightbridge.formats.keras.framework.build").built(target)
    return _with_values(_read(target), _of_model(live, model, copy))


def _with_values(told: LayerGraph, built: LayerGraph) -> LayerGraph:
    """The graph that the architecture tells, which a plan is about, with the values of the built model."""
    values = built.tensor_by_name
    if {tensor.name for tensor in told.tensors} != values.keys():
        return built
    layers = (
        replace(layer, tensors=tuple(replace(t, load=values[t.name].load) for t in layer.tensors))
        for layer in told.layers
    )
    return replace(told, layers=tuple(layers))


def _from_file(target: Path, format: str, copy: Path, output: Path) -> LayerGraph:
    if format == "keras-json":
        return _from_json(target, copy)
    graph = _read(target)
    if copy.suffix == ".safetensors":
        _as_safetensors(graph, copy)
    elif copy.name.endswith(".weights.h5") and format == "keras-zip":
        _extract(target, copy)
    elif copy.suffix in (".h5", ".hdf5", ".keras") and format in WHOLE:
        model = _loaded(target, format, output)
        _save(framework_module("weightbridge.formats.keras.framework.live"), model, copy)
    else:
        raise _unwritable(format, copy, output)
    return graph


def _loaded(target: Path, format: str, output: Path) -> Any:
    """A whole model in Keras. Where it cannot be loaded, its own suffix is the way out."""
    try:
        return framework_module("weightbridge.formats.keras.framework.load").load(target)
    except WeightbridgeError as error:
        suffixes = [suffix for suffix, formats in WRITABLE.items() if format in formats]
        own = f"choose an OUTPUT that ends with {suffixes[0]}, which is written without Keras"
        message = f"a {format} target is written as {output.suffix} by Keras: {error.message}"
        raise UsageError(message, where=str(target), fix=own) from error


def _unwritable(format: str, copy: Path, output: Path) -> UsageError:
    suffixes = [suffix for suffix, formats in WRITABLE.items() if format in formats]
    fitting = " or ".join(suffixes) or ".safetensors"
    return UsageError(
        f"a {format} target cannot be written as {copy.name.removeprefix('target')}",
        where=str(output),
        fix=f"choose an OUTPUT that ends with {fitting}",
    )


def _save(live: Any, model: Any, copy: Path) -> None:
    """Keras knows `.h5` alone, `.hdf5` is the same."""
    written = copy.with_suffix(".h5") if copy.suffix == ".hdf5" else copy
    live.save(model, written)
    written.replace(copy)


def _read(path: Path) -> LayerGraph:
    formats = import_module("weightbridge.formats")
    graph: LayerGraph = formats.apart(formats.read(path))
    return graph


def _extract(archive: Path, copy: Path) -> None:
    """Unpacks the weights; reading the copy checks it before anything is written to OUTPUT."""
    with open_zip(archive) as opened, opened.open(WEIGHTS) as member, copy.open("wb") as file:
        shutil.copyfileobj(member, file, 1 << 20)


def _as_safetensors(graph: LayerGraph, copy: Path) -> None:
    import_module("weightbridge.formats.safetensors.file").write_new(copy, graph.tensors)


def _same(graph: LayerGraph, file: LayerGraph, output: Path) -> LayerGraph:
    """The file's graph. Raises UsageError unless every tensor of the target stands in it."""
    stored = {tensor.name: (tensor.shape, tensor.dtype) for tensor in file.tensors}
    changed = [t.name for t in graph.tensors if stored.get(t.name) != (t.shape, t.dtype)]
    if changed:
        tensors = f"{len(changed)} of the target's tensors"
        raise UsageError(
            f"{tensors} cannot be stored as they are in {output.name} ({changed[0]})",
            where=str(output),
            fix="choose the suffix of the target itself, or .safetensors",
        )
    return file
