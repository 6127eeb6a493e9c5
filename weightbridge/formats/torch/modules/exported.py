"""A torch module as an ONNX file, with what it is compared with and what is said of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from weightbridge.errors import RunError, Unsupported, UsageError, WeightbridgeError
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.onnx.file import folded
from weightbridge.formats.onnx.running.inputs import inputs_of
from weightbridge.formats.running import InputSpec, Runner
from weightbridge.formats.torch.modules.call import Example, left_out, named, raw
from weightbridge.formats.torch.modules.example import Shapes, example_of
from weightbridge.formats.torch.modules.export import Job, export
from weightbridge.formats.torch.modules.run import runner

SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """path: the ONNX file. inputs: what it says of them. findings: how it was made, what it lacks."""

    path: Path
    producer: str
    findings: tuple[Finding, ...]
    module: Any
    example: Example
    inputs: tuple[InputSpec, ...]

    def reference(self, dtype: str) -> Runner:
        """The module itself. RunError where it cannot be had in this dtype."""
        return runner(self.module, self.example, self.inputs, dtype)


@contextmanager
def exported(value: Any, shapes: Shapes, opset: int | None, path: Path, where: str) -> Iterator[Exported]:
    """value: a module, or (module, example inputs). It is in evaluation mode until the context ends.

    Raises UsageError where nothing fits its inputs, Unsupported where it cannot be exported.
    """
    module, given = value if isinstance(value, tuple) else (value, None)
    with _evaluating(_plain(module, where)) as module:
        try:
            yield _exported(module, example_of(module, given, shapes, where), opset, path)
        except WeightbridgeError as error:
            place = error.where.replace(str(path), where)
            raise type(error)(error.message, where=place or where, fix=error.fix) from error


def _exported(module: Any, example: Example, opset: int | None, path: Path) -> Exported:
    given = _given(module, example)
    outputs = tuple(named(given, example.names))
    said = export(Job(module, example, outputs, opset, path))
    parsed, layers = folded(path)
    read = {spec.name: spec for spec in inputs_of(parsed.graph, layers)}
    inputs = tuple(read.get(spec.name, spec) for spec in _specs(example))
    findings = (*_findings(said, left_out(given)), *_without_dropout(module))
    return Exported(path, f"torch {torch.__version__}", findings, module, example, inputs)


def _given(module: Any, example: Example) -> Any:
    """What it gives on its example. UsageError where it does not take that."""
    try:
        return raw(module, example)
    except RunError as error:
        raise UsageError(error.message, fix="give inputs that the module takes") from error


def _specs(example: Example) -> Iterator[InputSpec]:
    for name, value in zip(example.names, example.values, strict=True):
        shape = tuple(value.shape)
        dtype = str(value.dtype).removeprefix("torch.")
        yield InputSpec(name, (None, *shape[1:]) if shape else (), dtype)


def _findings(exporter: str, missing: Sequence[str]) -> Iterator[Finding]:
    if exporter:
        yield finding("WB108", f"it was exported by {exporter}")
    if missing:
        message = f"outputs that are no tensors are left out: {', '.join(missing)}"
        yield finding("WB108", message, fix="return tensors for what is wanted")


def _without_dropout(module: Any) -> Iterator[Finding]:
    """WB407: in evaluation mode there is no dropout to export."""
    kind = torch.nn.modules.dropout._DropoutNd
    parts = [(name or "the module", part) for name, part in module.named_modules() if isinstance(part, kind)]
    names = [name for name, part in parts if part.p > 0]
    if names:
        message = f"dropout acts in training alone and is not exported: {listed(names, SHOWN)}"
        yield finding("WB407", message, source=names[0], fix="put Dropout layers in where you train it again")


def _plain(module: Any, where: str) -> Any:
    """The module itself where it is on the CPU in float32, else a copy that is."""
    tensors = [*module.parameters(), *module.buffers()]
    if any(tensor.device.type == "meta" for tensor in tensors):
        raise Unsupported("parameters are on the device `meta`: they have no values", where=where)
    floats = (tensor for tensor in tensors if tensor.is_floating_point())
    if all(tensor.device.type == "cpu" for tensor in tensors) and all(
        t.dtype == torch.float32 for t in floats
    ):
        return module
    return deepcopy(module).cpu().float()


@contextmanager
def _evaluating(module: Any) -> Iterator[Any]:
    """In evaluation mode; each part is as it was afterwards."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield module
    finally:
        for part in training:
            part.training = True
