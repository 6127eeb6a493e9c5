"""A skeleton, and what is said of an old file that a conversion mends."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from weightbridge import formats
from weightbridge.boundary.records import dataclass
from weightbridge.commands.stages.older import OLDER
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan

SHOWN = 10  # layers in a sentence


@dataclass(frozen=True, slots=True)
class Skeleton:
    """template: the file without values. findings: what is to be said of the conversion.

    read: how the file is read again, as the template was.
    """

    template: Template
    plan: Plan
    findings: tuple[Finding, ...]
    read: Callable[[Path], LayerGraph] = formats.read


def mended(source: LayerGraph) -> tuple[Finding, ...]:
    """What the reader says of an old file: each rule is a line of what was rewritten."""
    found = [f for f in source.findings if f.code in OLDER]
    return tuple(replace(f, code="WB102", severity="note", fix="") for f in found)


def said_of(sentences: Mapping[str, Iterable[str]], code: str, severity: str) -> Iterator[Finding]:
    """A finding for each sentence, with the layers that it is about."""
    for sentence, layers in sentences.items():
        names = list(layers)
        found = finding(code, f"{sentence}: {listed(names, SHOWN)}", source=names[0])
        yield replace(found, severity=severity)  # type: ignore[arg-type]  # one of three words
