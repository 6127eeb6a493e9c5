"""The skeleton of a Keras 3 file: the model in today's terms, `.keras` or `.h5`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.skeletons.values import Skeleton, mended
from weightbridge.converting import lowered
from weightbridge.converting.from_graph import Settings, asked_for, drawn
from weightbridge.converting.values import Config, Lowered
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.keras.emit.legacy import write_legacy_skeleton
from weightbridge.formats.keras.emit.places import places_of
from weightbridge.formats.keras.emit.skeleton import write_skeleton
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.planning.conversion import conversion_plan
from weightbridge.planning.rebuilt import rebuilt_plan

SHOWN = 10


def make(_: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Raises Unsupported for what Keras 3 has no layer for."""
    if source.framework != "keras":
        return _rebuilt(source, path, options)
    terms = lowered(source)
    _write(path, terms.config, source)
    graph = formats.read(path)
    plan, findings = conversion_plan(source, graph, terms, options)
    return Skeleton(Template(graph, graph), plan, (*_notes_of(source, terms), *findings))


def _rebuilt(source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Of a graph that is no Keras model's."""
    made = drawn(source, Settings(options.input_layout or Settings().input_layout))
    _write(path, made.config, asked_for(made))
    graph = formats.read(path)
    plan, findings = rebuilt_plan(source, graph, made, options)
    notes = (
        *_said(made.rewritten, "WB102", "note"),
        *_said(made.untied, "WB211", "note"),
        *_said(made.training, "WB407", "warning"),
    )
    return Skeleton(Template(graph, graph), plan, (*notes, *findings))


def _write(path: Path, config: Config, shapes: LayerGraph) -> None:
    """shapes: of the weights that the configuration alone does not tell."""
    written = write_skeleton if path.suffix == ".keras" else write_legacy_skeleton
    written(path, config, places_of(config, shapes))


def _notes_of(source: LayerGraph, terms: Lowered) -> tuple[Finding, ...]:
    """What was rewritten, a rule a line; what is not carried; what differs in training."""
    return (
        *mended(source),
        *_said(terms.rewritten, "WB102", "note"),
        *_said(terms.left, "WB203", "note"),
        *_said(terms.training, "WB407", "warning"),
    )


def _said(sentences: Mapping[str, Iterable[str]], code: str, severity: str) -> Iterator[Finding]:
    for sentence, layers in sentences.items():
        names = list(layers)
        found = finding(code, f"{sentence}: {listed(names, SHOWN)}", source=names[0])
        yield replace(found, severity=severity)  # type: ignore[arg-type]  # one of three words
