"""What a conversion fills: the same model in the target's terms, a file with all its tensors, and a plan."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.skeletons.values import Skeleton
from weightbridge.commands.stages.older import OLDER
from weightbridge.commands.stages.reading import as_wanted
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph

KERAS = (".keras", ".h5", ".hdf5")
# By OUTPUT's suffix the module that makes it, imported when asked for.
MAKERS: Mapping[str, str] = {
    **dict.fromkeys(KERAS, "weightbridge.commands.skeletons.keras"),
    ".onnx": "weightbridge.commands.skeletons.onnx",
}
REBUILT = "weightbridge.commands.skeletons.rebuilt"  # of Keras files, where the source is of another format
THROUGH = "weightbridge.commands.skeletons.through"  # of ONNX files, likewise
Make = Callable[[Any, LayerGraph, Path, Options], Skeleton]
OF_ONNX_ALONE = ("engine", "opset")  # that mean nothing where Keras is written
OF_ONNX = (*OF_ONNX_ALONE, "input_layout")  # that mean nothing from Keras to Keras


@contextmanager
def skeleton_of(model: Any, source: LayerGraph, suffix: str, options: Options) -> Iterator[Skeleton]:
    """Temporary files go when the context ends. Raises Unsupported for what the target has no layer for."""
    make: Make = import_module(_maker(source, suffix)).make
    with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
        made = _of_floats(make, model, source, Path(folder) / f"skeleton{suffix}", options)
        kept = tuple(f for f in source.findings if f.code not in OLDER)
        said = tuple(as_wanted(kept)) if options.dequantize else kept
        yield replace(made, findings=(*said, *made.findings, *_not_carried(source)))


def _maker(source: LayerGraph, suffix: str) -> str:
    if source.framework == "keras" or source.format == suffix[1:]:
        return MAKERS[suffix]
    return REBUILT if suffix in KERAS else THROUGH


def _of_floats(make: Make, model: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Of the floats that codes and scales of Keras's quantisation stand for, where there are any."""
    if source.framework != "keras" or source.effective is None:
        return make(model, source, path, options)
    from weightbridge.planning.computed import stored_plan_of  # few files need it

    made = make(model, source.effective, path, options)
    return replace(made, plan=stored_plan_of(made.plan, source.effective, source))


def refuse_idle(source: LayerGraph, suffix: str, options: Options) -> None:
    """Raises UsageError for options of ONNX where no ONNX is read or written."""
    if suffix == ".onnx":
        return
    idle = OF_ONNX if source.framework == "keras" else OF_ONNX_ALONE
    given = [name for name in idle if getattr(options, name) is not None]
    if given:
        flag = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{flag} is for an OUTPUT that ends with .onnx", fix=f"leave out {flag}")


def _not_carried(source: LayerGraph) -> Iterator[Finding]:
    optimizer = sum(entry.reason == "optimizer" for entry in source.excluded)
    if optimizer:
        message = f"the state of the optimizer is not carried ({optimizer} arrays), nor is compile()"
        found = finding("WB203", message, fix="compile the model again before it is trained")
        yield replace(found, severity="note")
