"""convert: the same model in Keras 3, written beside OUTPUT, read back, verified, renamed into place."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.checked import path_of
from weightbridge.boundary.options import Options
from weightbridge.commands.conversion import proven
from weightbridge.commands.prepare import Prepared
from weightbridge.commands.reporting import file_entry, is_wanted, judged
from weightbridge.commands.rules import rules_of
from weightbridge.commands.transfer import asked_for
from weightbridge.converting import Lowered, lowered
from weightbridge.errors import UnsafeContent, Unsupported
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.keras.assembled import read_assembled
from weightbridge.formats.keras.emit.places import places_of
from weightbridge.formats.keras.emit.skeleton import write_skeleton
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.planning.conversion import conversion_plan
from weightbridge.planning.hashes import content_meanwhile
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.transfer.stage import check_output, publish, staged
from weightbridge.transfer.write import write

SUFFIXES = (".keras",)
SHOWN = 10
# what the reader says of an old file, and a conversion mends: each rule is a line of what was rewritten
MENDED = frozenset({"WB102", "WB103"})
BY_CODE = "Give the model as py:package.module:callable"


def convert(model: Any, output: Path, options: Options) -> Report:
    """OUTPUT appears only where nothing stands against it."""
    check_output(output, options.overwrite, (model,), SUFFIXES)
    options = with_policy(options)
    with rules_of(options.rules), staged(output) as temporary:
        source = read_source(model, options)
        refuse(source)
        terms = lowered(source)
        with _template(source, terms, output.suffix) as template:
            report = _converted(model, source, terms, template, temporary, options)
        if is_wanted(report, options) and report.plan is not None and report.digests:
            report = replace(_named(report, output), wrote=file_entry(temporary, output))
            publish(temporary, output)
    return asked_for(report, output)


def _named(report: Report, output: Path) -> Report:
    """The target by the name that it gets: while it was planned it was a temporary file."""
    target = report.target
    return report if target is None else replace(report, target=replace(target, path=str(output)))


def read_source(model: Any, options: Options) -> LayerGraph:
    """The model, with its architecture from where the user says that it is."""
    if options.architecture is None:
        return formats.read(model, options.source_arguments)
    return read_assembled(path_of("model", model), options.architecture)


def refuse(graph: LayerGraph) -> None:
    """Raises for what cannot be converted: code, weights alone, other formats."""
    where = graph.path
    for found in graph.findings:
        if found.code == "WB104" and "Lambda" in found.message:
            raise UnsafeContent(found.message, where=where, fix=BY_CODE)
        if found.code == "WB104":
            raise Unsupported(found.message, where=where, fix=BY_CODE)
    if graph.framework != "keras":
        message = f"a {graph.format} file cannot be converted yet: only Keras models can"
        raise Unsupported(message, where=where, fix="weightbridge transfer moves its weights")
    if graph.architecture is None:
        message = f"a {graph.format} file holds weights and no architecture"
        fix = "give the architecture too: weightbridge convert WEIGHTS OUTPUT --architecture MODEL"
        raise Unsupported(message, where=where, fix=fix)


def _converted(
    model: Any, source: LayerGraph, terms: Lowered, template: Template, temporary: Path, options: Options
) -> Report:
    said = tuple(f for f in source.findings if f.code not in MENDED)
    plan, findings = conversion_plan(source, template.target, terms, options)
    findings = (*said, *notes_of(source, terms), *findings)
    prepared = Prepared(source, template.target, plan, findings)
    with content_meanwhile(source, template.target) as with_hashes:
        if judged("convert", prepared, options).exit_code:
            return judged("convert", replace(prepared, plan=with_hashes(plan)), options)
        written = write(plan, source, template, temporary, options.progress)
        prepared = replace(prepared, plan=with_hashes(written.plan), findings=(*findings, *written.findings))
    verification, more = proven(model, prepared, written, options)
    prepared = replace(prepared, findings=(*prepared.findings, *more))
    return replace(judged("convert", prepared, options, verification), digests=written.digests)


@contextmanager
def _template(source: LayerGraph, terms: Lowered, suffix: str) -> Iterator[Template]:
    with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
        path = Path(folder) / f"skeleton{suffix}"
        write_skeleton(path, terms.config, places_of(terms.config, source))
        graph = formats.read(path)
        yield Template(graph, graph)


def notes_of(source: LayerGraph, terms: Lowered) -> tuple[Finding, ...]:
    """What was rewritten, a rule a line; what is not carried; what differs in training."""
    mended = [f for f in source.findings if f.code in MENDED]
    rewritten = (replace(f, code="WB102", severity="note", fix="") for f in mended)
    return (
        *rewritten,
        *_said(terms.rewritten, "WB102", "note"),
        *_said(terms.left, "WB203", "note"),
        *_said(terms.training, "WB407", "warning"),
        *_not_carried(source),
    )


def _said(sentences: Mapping[str, Iterable[str]], code: str, severity: str) -> Iterator[Finding]:
    for sentence, layers in sentences.items():
        names = list(layers)
        found = finding(code, f"{sentence}: {listed(names, SHOWN)}", source=names[0])
        yield replace(found, severity=severity)  # type: ignore[arg-type]  # one of three words


def _not_carried(source: LayerGraph) -> Iterator[Finding]:
    optimizer = sum(entry.reason == "optimizer" for entry in source.excluded)
    if optimizer:
        message = f"the state of the optimizer is not carried ({optimizer} arrays), nor is compile()"
        found = finding("WB203", message, fix="compile the model again before it is trained")
        yield replace(found, severity="note")
