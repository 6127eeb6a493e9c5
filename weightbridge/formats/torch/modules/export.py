"""A module in evaluation mode as an ONNX file: by TorchScript's exporter, else by torch.export.

BatchNorm stays, and no constant is folded: each tensor of the file is one of the state dict, by its name.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import Parameter, Signature, signature
from logging import CRITICAL, disable, root
from pathlib import Path
from typing import Any

import onnx
import torch

from weightbridge.boundary.files import FULL
from weightbridge.errors import OutputError, Unsupported
from weightbridge.formats.torch.modules.bags import plain_bags
from weightbridge.formats.torch.modules.call import Example, named, passed
from weightbridge.formats.torch.modules.counted import count_booleans
from weightbridge.formats.torch.modules.dropout import Dropouts, Putting, finish_dropouts
from weightbridge.formats.torch.modules.fold import fold_constants
from weightbridge.formats.torch.modules.symbolic import more_operators

STANDARD_OUTPUT = 1
MERGER = "_jit_pass_onnx_deduplicate_initializers"
BATCH = "batch"
USUAL_OPSET = 17  # TorchScript's exporter writes attention from 14 on, LayerNormalization from 17 on
FIRST_OF_TORCH_EXPORT = 18  # the oldest opset that it writes


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A module and an example of its inputs.

    outputs: the names that its output tensors get. opset: None where any will do.
    dropouts: where values are dropped in training, for a file that is trained again; None for none of it.
    """

    module: Any
    example: Example
    outputs: tuple[str, ...]
    opset: int | None
    path: Path
    dropouts: Dropouts | None = None


def export(job: Job) -> str:
    """Which exporter wrote it where it is not the first, with the reason; "" for the first.

    Raises Unsupported where both fail.
    """
    reasons: list[str] = []
    for name, write in EXPORTERS.items():
        reason = _tried(write, job)
        if not reason:
            return f"{name} ({reasons[0]})" if reasons else ""
        reasons.append(reason)
    what = "; ".join(f"{name}: {reason}" for name, reason in zip(EXPORTERS, reasons, strict=True))
    fix = "write the module without what they name, or build the model in Keras"
    raise Unsupported(f"torch cannot export it as ONNX ({what})", fix=fix)


def _tried(write: Callable[[Job], None], job: Job) -> str:
    """Why it failed, "" where it did not. Raises OutputError for a disk that is full."""
    try:
        with _undisturbed():
            write(job)
    except OSError as error:
        if error.errno in FULL:
            fix = "free some space where temporary files go"
            raise OutputError(f"cannot be written: {error.strerror}", where=str(job.path), fix=fix) from error
        return _reason(error)
    except Exception as error:  # noqa: BLE001  # whatever a foreign exporter raises; it is said
        return _reason(error)
    return ""


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]


def _by_torch_script(job: Job) -> None:
    """Nothing is folded; equal values of two parameters stay two."""
    options = {
        "input_names": list(job.example.names),
        "output_names": list(job.outputs),
        "dynamic_axes": {name: {0: BATCH} for name in _batched(job)},
        "training": torch.onnx.TrainingMode.PRESERVE,
        "do_constant_folding": False,
        "opset_version": job.opset or USUAL_OPSET,
    }
    if "dynamo" in signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    calls = job.dropouts.calls if job.dropouts else ()
    with _unmerged(), more_operators(), _flat(job, lambda: Putting(calls) if calls else nullcontext()):
        torch.onnx.export(job.module, job.example.values, job.path, **options)
    _finish(job)


def _finish(job: Job) -> None:
    """What the exporter leaves to be done in its file."""
    proto = onnx.load(job.path)
    is_counted = count_booleans(proto)
    is_changed = fold_constants(proto) or is_counted
    if job.dropouts is not None:
        finish_dropouts(proto, job.dropouts)
    if is_changed or job.dropouts is not None:
        onnx.save(proto, job.path)


def _by_torch_export(job: Job) -> None:
    if find_spec("onnxscript") is None:
        raise ImportError("onnxscript is not installed, which it needs")
    if job.opset is not None and job.opset < FIRST_OF_TORCH_EXPORT:
        raise ValueError(f"opset {job.opset} is older than {FIRST_OF_TORCH_EXPORT}, its oldest")
    dynamic = {0: torch.export.Dim.AUTO}
    with _flat(job, nullcontext):
        torch.onnx.export(
            job.module,
            job.example.values,
            job.path,
            dynamo=True,
            optimize=False,
            external_data=False,
            verbose=False,
            dynamic_shapes=tuple(dynamic if value.dim() else None for value in job.example.values),
            input_names=list(job.example.names),
            output_names=list(job.outputs),
            opset_version=job.opset or FIRST_OF_TORCH_EXPORT,
        )


EXPORTERS: dict[str, Callable[[Job], None]] = {
    "TorchScript's exporter": _by_torch_script,
    "torch.export's exporter": _by_torch_export,
}


def _batched(job: Job) -> tuple[str, ...]:
    """All but inputs without an axis: their first is the batch's."""
    inputs = zip(job.example.names, job.example.values, strict=True)
    return (*(name for name, value in inputs if value.dim()), *job.outputs)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What the exporter prints and warns of left out, attention by its ordinary operators."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(_printing_nothing())
        stack.enter_context(torch.no_grad())
        stack.enter_context(_without_fast_path())
        stack.enter_context(plain_bags())
        warnings.simplefilter("ignore")
        stack.callback(disable, root.manager.disable)
        disable(CRITICAL)
        yield


@contextmanager
def _printing_nothing() -> Iterator[None]:
    """Where an exporter fails, torch's C++ prints its graph to the process's own standard output."""
    try:
        kept = os.dup(STANDARD_OUTPUT)
    except OSError:  # it is closed
        yield
        return
    sys.stdout.flush()
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), STANDARD_OUTPUT)
    try:
        yield
    finally:
        os.dup2(kept, STANDARD_OUTPUT)
        os.close(kept)


@contextmanager
def _flat(job: Job, running: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """forward takes the example's tensors in order and gives a tuple of tensors, for a while.

    running: what is on while it runs.
    """
    module, example = job.module, job.example
    own, forward = vars(module).get("forward"), module.forward

    def flat(*values: Any) -> tuple[Any, ...]:
        with running():
            return tuple(named(passed(forward, example, values), example.names).values())

    kind = Parameter.POSITIONAL_OR_KEYWORD
    parameters = Signature([Parameter(name, kind) for name in example.names])
    flat.__signature__ = parameters  # type: ignore[attr-defined]  # a function takes any
    module.forward = flat
    try:
        yield
    finally:
        del module.forward
        if own is not None:
            module.forward = own


@contextmanager
def _without_fast_path() -> Iterator[None]:
    """nn.TransformerEncoderLayer has one operator of its own for evaluation, which ONNX does not."""
    is_on = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_on)


@contextmanager
def _unmerged() -> Iterator[None]:
    """The exporter merges parameters whose values are equal, as in training mode only those that are one."""
    merge = getattr(torch._C, MERGER, None)
    if merge is None:
        yield
        return
    setattr(torch._C, MERGER, lambda graph, parameters, _: merge(graph, parameters, True))
    try:
        yield
    finally:
        setattr(torch._C, MERGER, merge)
