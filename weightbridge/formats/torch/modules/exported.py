"""A torch module as an ONNX file, with what it is compared with and what is said of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from weightbridge.errors import RunError, Unsupported, UsageError, WeightbridgeError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.onnx.file import folded
from weightbridge.formats.onnx.running.inputs import inputs_of
from weightbridge.formats.running import InputSpec, Runner
from weightbridge.formats.torch.modules.call import Example, left_out, named, raw
from weightbridge.formats.torch.modules.dropout import dropouts_of
from weightbridge.formats.torch.modules.example import Shapes, example_of
from weightbridge.formats.torch.modules.export import Job, export
from weightbridge.formats.torch.modules.left_out import without_dropout, without_weights
from weightbridge.formats.torch.modules.numbers import put_numbers
from weightbridge.formats.torch.modules.plain import plain
from weightbridge.formats.torch.modules.run import runner


@dataclass(frozen=True, slots=True)
class Asked:
    """shapes: of inputs that come without an example. is_trained: whether the file becomes a Keras model."""

    shapes: Shapes = ()
    opset: int | None = None
    is_trained: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """path: the ONNX file. inputs: what it says of them. findings: how it was made, what it lacks.

    frozen: the names of its tensors that training does not change: buffers, and parameters that say so.
    """

    path: Path
    producer: str
    findings: tuple[Finding, ...]
    module: Any
    example: Example
    inputs: tuple[InputSpec, ...]
    frozen: frozenset[str] = frozenset()

    def reference(self, dtype: str) -> Runner:
        """The module itself. RunError where it cannot be had in this dtype."""
        return runner(self.module, self.example, self.inputs, dtype)


@contextmanager
def exported(value: Any, asked: Asked, path: Path, where: str) -> Iterator[Exported]:
    """value: a module, or (module, example inputs). It is in evaluation mode until the context ends.

    Raises UsageError where nothing fits its inputs, Unsupported where it cannot be exported.
    """
    module, given = value if isinstance(value, tuple) else (value, None)
    _refuse_script(module, where)
    with _evaluating(plain(module, where)) as module:
        try:
            yield _exported(module, example_of(module, given, asked.shapes, where), asked, path)
        except WeightbridgeError as error:
            place = error.where.replace(str(path), where)
            raise type(error)(error.message, where=place or where, fix=error.fix) from error


def _exported(module: Any, example: Example, asked: Asked, path: Path) -> Exported:
    given = _given(module, example)
    outputs = tuple(named(given, example.names))
    dropouts = dropouts_of(module, example) if asked.is_trained else None
    said = export(Job(module, example, outputs, asked.opset, path, dropouts))
    _put_numbers(path, module, asked)
    parsed, layers = folded(path)
    read = {spec.name: spec for spec in inputs_of(parsed.graph, layers)}
    inputs = tuple(read.get(spec.name, spec) for spec in _specs(example))
    findings = [*_findings(said, left_out(given)), *without_dropout(module, None if said else dropouts)]
    if asked.is_trained:
        findings += without_weights(module, [t.name for layer in layers.layers for t in layer.tensors])
    producer, frozen = f"torch {torch.__version__}", _frozen(module)
    return Exported(path, producer, tuple(findings), module, example, inputs, frozen)


def _put_numbers(path: Path, module: Any, asked: Asked) -> None:
    if asked.is_trained:
        put_numbers(path, {name for name, _ in module.named_parameters(remove_duplicate=False)})


def _frozen(module: Any) -> frozenset[str]:
    parameters = module.named_parameters(remove_duplicate=False)
    names = (name for name, parameter in parameters if not parameter.requires_grad)
    return frozenset((*names, *(name for name, _ in module.named_buffers(remove_duplicate=False))))


def _refuse_script(module: Any, where: str) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        fix = "give the module that was scripted or traced"
        raise Unsupported("it is a ScriptModule, whose code torch does not export", where=where, fix=fix)


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
