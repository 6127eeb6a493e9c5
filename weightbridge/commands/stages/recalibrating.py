"""BatchNorm statistics after a transfer that has lost something: computed from the inputs that were given."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.stages.idle import is_fitting
from weightbridge.commands.stages.statistics import Recalibrated, recalibrated
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import finding
from weightbridge.formats.frameworks import framework_module
from weightbridge.model.flow import ancestors
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan, Step, is_written
from weightbridge.transfer.digests import digest_texts
from weightbridge.transfer.stage import staged
from weightbridge.transfer.write import Written, assign, write_values

RUNNABLE = (".keras", ".h5", ".hdf5")
OTHERS = (".weights.h5", ".onnx", ".safetensors")


def is_wanted(options: Options) -> bool:
    """A fit sets the statistics layer by layer itself."""
    return options.calibrate is not None and not is_fitting(options)


def refuse_uncalibrated(output: Any, options: Options) -> None:
    """Raises UsageError for inputs that could not be run through what is written."""
    if is_wanted(options) and isinstance(options.calibrate, Path) and not options.calibrate.is_file():
        raise UsageError("there is no such file", where=str(options.calibrate), fix="check the path")
    if is_wanted(options) and output.name.endswith(OTHERS):
        raise UsageError(
            "--calibrate runs what was written, and this format holds no Keras model",
            where=str(output),
            fix=f"choose an OUTPUT that ends with {' or '.join(RUNNABLE[:2])}, or leave out --calibrate",
        )


def recalibrated_file(written: Written, target: LayerGraph, options: Options) -> Written:
    """The file with other statistics, under the same temporary name; as it was where nothing was lost."""
    if not is_wanted(options):
        return written
    norms = _changed_norms(target, written.plan)
    if not norms:
        return _unchanged(written)
    stored = formats.read(written.path)
    running = framework_module("weightbridge.formats.keras.framework.load").load(written.path)
    made = recalibrated(running, stored, options.calibrate, options.progress, norms)
    with staged(written.path) as again:
        _, digests = write_values(stored, again, made.pairs(stored))
        os.replace(again, written.path)
    return _with(written, made, digests)


def recalibrated_live(written: Written, model: Any, target: LayerGraph, options: Options) -> Written:
    """The same for a live model that the values were assigned to."""
    if not is_wanted(options):
        return written
    norms = _changed_norms(target, written.plan)
    if not norms:
        return _unchanged(written)
    graph = framework_module("weightbridge.formats.keras.framework.live").read(model)
    made = recalibrated(model, graph, options.calibrate, options.progress, norms)
    return _with(written, made, assign(model, made.pairs(graph)))


def _changed_norms(target: LayerGraph, plan: Plan) -> frozenset[str]:
    """Norms that get something else than the source's: behind a layer that was adapted with a loss, or fresh.

    None where nothing was lost: then the source's own statistics are right.
    """
    steps = {step.target: step for step in plan.steps}
    if not any(step.contract == "lossy" for step in steps.values()):
        return frozenset()
    norms = [layer for layer in target.layers if layer.op == "BatchNorm"]
    changed = set(_changed_layers(target, steps))
    if not target.dag.number_of_edges():
        return frozenset(norm.name for norm in norms)
    return frozenset(n.name for n in norms if changed & {n.name, *ancestors(target.dag, n.name)})


def _changed_layers(target: LayerGraph, steps: dict[str, Step]) -> Iterator[str]:
    for layer in target.layers:
        contracts = {steps[t.name].contract for t in layer.tensors if t.name in steps}
        if contracts & {"lossy", "fresh"}:
            yield layer.name


def _unchanged(written: Written) -> Written:
    message = "nothing was adapted with a loss, so BatchNorm's statistics are the source's own"
    return replace(written, findings=(*written.findings, finding("WB310", message)))


def _with(written: Written, made: Recalibrated, digests: dict[str, bytes]) -> Written:
    steps = tuple(_step(step, made) for step in written.plan.steps)
    texts = {name: text for name, text in digest_texts(digests).items() if name in written.digests}
    return replace(
        written,
        plan=replace(written.plan, steps=steps),
        findings=(*written.findings, *_as_target(made.findings)),
        digests={**written.digests, **texts},
        sha256="",
    )


def _step(step: Step, made: Recalibrated) -> Step:
    """A statistic is no longer the source's: it counts as adapted."""
    if step.target not in made.values or not is_written(step):
        return step
    cost = f"{step.cost}, recalibrated" if step.cost else "recalibrated"
    return replace(step, kind="adapt", contract="lossy", cost=cost)


def _as_target(findings: Iterable[Any]) -> Iterator[Any]:
    for found in findings:
        yield replace(found, source="", target=found.source)
