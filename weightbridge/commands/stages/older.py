"""Files of an older Keras: the command that writes them anew, said where it works."""

from dataclasses import replace

from weightbridge.errors import Unsupported
from weightbridge.errors.diagnostics import Finding
from weightbridge.model.graph import LayerGraph

OLDER = frozenset({"WB102", "WB103"})  # what the reader says of an old file, and a conversion mends
IN_THE_WAY = frozenset({"WB104", "WB105", "WB107"})
WHOLE = frozenset({"keras-h5", "keras-zip"})  # files that hold both architecture and weights


def with_conversion(graph: LayerGraph) -> tuple[Finding, ...]:
    """What the reader says, with the conversion for a fix where every layer can be lowered."""
    codes = {found.code for found in graph.findings}
    if not codes & OLDER or not _is_converted(graph, codes):
        return graph.findings
    from weightbridge.formats.keras.older_files import written_anew

    fix = written_anew(graph.path)
    return tuple(replace(found, fix=fix) if found.code in OLDER else found for found in graph.findings)


def _is_converted(graph: LayerGraph, codes: set[str]) -> bool:
    if graph.format not in WHOLE or graph.architecture is None or codes & IN_THE_WAY:
        return False
    from weightbridge.converting import lowered  # twelve modules that a file of today does without

    try:
        lowered(graph)
    except Unsupported:
        return False
    return True
