"""The hashes of both models' bytes in a plan, computed beside other work."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from weightbridge.errors import Corrupt
from weightbridge.formats.hashing import check_content, content_hash, stamps
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan


def with_content(plan: Plan, source: LayerGraph, target: LayerGraph) -> Plan:
    """The plan with the hashes of both models' bytes."""
    with content_meanwhile(source, target) as with_hashes:
        return with_hashes(plan)


@contextmanager
def content_meanwhile(
    source: LayerGraph, target: LayerGraph, *, hashes: bool = True
) -> Iterator[Callable[[Plan], Plan]]:
    """Hash both models' bytes side by side and beside other work, as hashing holds no lock.

    Gives what adds the hashes to a plan. That raises what hashing found wrong, as ModelError, and Corrupt
    where a file has changed since. hashes: whether somebody reads them; the rest is looked at all the same.
    """
    with _meanwhile(source, hashes) as of_source, _meanwhile(target, hashes) as of_target:
        yield lambda plan: replace(plan, source_sha256=of_source(), target_sha256=of_target())


@contextmanager
def source_meanwhile(source: LayerGraph, *, hashes: bool = True) -> Iterator[Callable[[Plan], Plan]]:
    """The same of the source alone, where the target is a file of zeros that nobody keeps."""
    with _meanwhile(source, hashes) as of_source:
        yield lambda plan: replace(plan, source_sha256=of_source())


@contextmanager
def _meanwhile(graph: LayerGraph, hashes: bool) -> Iterator[Callable[[], str | None]]:
    work: Callable[[LayerGraph], str | None] = content_hash if hashes else check_content
    before = stamps(graph)

    def result() -> str | None:
        found = working.result()
        if stamps(graph) != before:
            fix = "run it again when nothing writes to the file"
            raise Corrupt("the file has changed while it was read", where=graph.path, fix=fix)
        return found

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, graph)
        yield result
