"""convert: the same model in another format, beside OUTPUT, read back, verified, renamed into place."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.checked import path_of
from weightbridge.boundary.options import Options
from weightbridge.commands.proof.claims import NOT_RUN, unproven
from weightbridge.commands.rules import rules_of
from weightbridge.commands.skeletons import KERAS, MAKERS, refuse_idle, skeleton_of
from weightbridge.commands.skeletons.values import Skeleton
from weightbridge.commands.stages.idle import refuse_unrun
from weightbridge.commands.stages.modules import Given, named, opened
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.commands.stages.reporting import asked_for, file_entry, is_wanted, judged
from weightbridge.commands.stages.signatures import without_code
from weightbridge.converting.untrained import with_frozen
from weightbridge.errors import Quantised, UnsafeContent, Unsupported
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.keras.architecture.config import walk
from weightbridge.formats.keras.variables.quantised import mode_of
from weightbridge.model.graph import LayerGraph
from weightbridge.planning.hashes import source_meanwhile
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification
from weightbridge.transfer.stage import check_output, publish, staged
from weightbridge.transfer.write import Written, write

# weights that an architecture elsewhere can name
ASSEMBLED = frozenset({"keras-h5", "keras-h5-weights", "keras-weights-h5"})
BY_CODE = "Give the model as py:package.module:callable"


def convert(model: Any, output: Path, options: Options) -> Report:
    """OUTPUT appears only where nothing stands against it."""
    refuse_unrun(options)
    if options.probe is not None:
        from weightbridge.formats.arrays import read_arrays

        read_arrays(options.probe, "the probe file")  # which says what is wrong with it before the work
    check_output(output, options.overwrite, (model,), tuple(MAKERS))
    options = with_policy(options)
    with rules_of(options.rules), staged(output) as temporary, opened(model, options, output.suffix) as given:
        source = read_source(given)
        refuse_idle(source, output.suffix, options)
        if given.reference is None or output.suffix != ".onnx":
            refuse(source, output.suffix, options)
        with skeleton_of(given.model, source, output.suffix, given.options) as skeleton:
            report = named(_converted(given, source, skeleton, temporary), given)
        report = _named(report, output, None)
        if is_wanted(report, options) and report.plan is not None and temporary.exists():
            wrote = file_entry(temporary, output, report.plan.target_sha256)
            report = replace(_named(report, output, wrote["sha256"]), wrote=wrote)
            publish(temporary, output)
    return asked_for(report, output)


def _named(report: Report, output: Path, sha256: str | None) -> Report:
    """The target by the name and the hash that it gets: while it was planned it was a file of zeros."""
    target = report.target
    return (
        report if target is None else replace(report, target=replace(target, path=str(output), sha256=sha256))
    )


def read_source(given: Given) -> LayerGraph:
    """The model, with its architecture from where the user says that it is."""
    options = given.options
    if options.architecture is not None:
        from weightbridge.formats.keras.assembled import read_assembled

        graph = read_assembled(path_of("model", given.model), options.architecture)
        return replace(graph, findings=tuple(_of_architecture(graph.findings, options.architecture)))
    graph = without_code(formats.read(given.model, options.source_arguments))
    return replace(with_frozen(graph, given.frozen), findings=(*given.findings, *graph.findings))


def _of_architecture(findings: Iterable[Finding], architecture: Path) -> Iterator[Finding]:
    """Weights that are missing where the user told the architecture: it is another model's."""
    for found in findings:
        is_missing = found.code == "WB105"
        fix = f"give --architecture the model that these weights were saved from: {architecture} is another"
        yield replace(found, fix=fix) if is_missing else found


def refuse(graph: LayerGraph, suffix: str, options: Options) -> None:
    """Raises for what cannot be converted: code, weights alone, quantised weights, other formats."""
    where = graph.path
    for found in graph.findings:
        if found.code == "WB104" and "Lambda" in found.message:
            raise UnsafeContent(found.message, where=where, fix=BY_CODE)
        if found.code == "WB104":
            raise Unsupported(found.message, where=where, fix=BY_CODE)
    if graph.framework != "keras" and graph.has_flow and (suffix in KERAS or graph.format != "onnx"):
        _refuse_codes(graph, options)
    else:
        _refuse_weights(graph)
        _refuse_codes(graph, options)
        _refuse_eight_bits(graph)


def _refuse_weights(graph: LayerGraph) -> None:
    where = graph.path
    is_apart = graph.architecture is None and graph.format not in ASSEMBLED
    if graph.framework != "keras" or is_apart:
        if graph.has_flow:
            message = "an ONNX file becomes a Keras model, and no other ONNX file at once"
            fix = "Convert it to a .keras file first, and that one to ONNX"
            raise Unsupported(message, where=where, fix=fix)
        message = f"a file of the format {graph.format} cannot be converted yet: only Keras models can"
        raise Unsupported(message, where=where, fix="weightbridge transfer moves its weights")
    if graph.architecture is None:
        message = f"a {graph.format} file holds weights and no architecture"
        fix = "give the architecture too: weightbridge convert WEIGHTS OUTPUT --architecture MODEL"
        raise Unsupported(message, where=where, fix=fix)


def _refuse_eight_bits(graph: LayerGraph) -> None:
    """Raises Quantised for layers that compute in floats of 8 bits, whose weights alone are other layers."""
    names = [layer.name for layer in walk(graph.architecture) if mode_of(layer.config) == "float8"]
    if names:
        message = f"layers compute in floats of 8 bits (quantize('float8')): {', '.join(names[:10])}"
        fix = "give the model as it was before quantize() was called"
        raise Quantised(message, where=graph.path, fix=fix)


def _refuse_codes(graph: LayerGraph, options: Options) -> None:
    """Raises Quantised for quantised weights, unless their floats are asked for."""
    for found in graph.findings:
        is_unknown = found.severity == "error"
        if found.code == "WB109" and (is_unknown or not options.dequantize):
            raise Quantised(found.message, where=graph.path, fix=found.fix)


def _converted(given: Given, source: LayerGraph, skeleton: Skeleton, temporary: Path) -> Report:
    options = given.options
    template, plan, findings = skeleton.template, skeleton.plan, skeleton.findings
    prepared = Prepared(source, template.target, plan, findings)
    with source_meanwhile(source, hashes=options.hashes) as with_hash:
        if judged("convert", prepared, options).exit_code:
            return judged("convert", replace(prepared, plan=with_hash(plan)), options)
        template = replace(template, read=skeleton.read)
        written = write(plan, source, template, temporary, options)
        plan = replace(with_hash(written.plan), target_sha256=written.sha256 or None)
        prepared = replace(prepared, plan=plan, findings=(*findings, *written.findings))
    verification, more = _verified(given, prepared, written, skeleton)
    prepared = replace(prepared, findings=(*prepared.findings, *more))
    return replace(judged("convert", prepared, options, verification), digests=written.digests)


def _verified(
    given: Given, prepared: Prepared, written: Written, skeleton: Skeleton
) -> tuple[Verification, tuple[Finding, ...]]:
    if not given.options.verify:
        return unproven(written, (), NOT_RUN), ()
    # what proves is not loaded where nothing is to be proven
    from weightbridge.commands.proof.conversion import proven

    return proven(given, prepared, written, given.options, skeleton.read)
