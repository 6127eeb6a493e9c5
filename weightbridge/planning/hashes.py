"""The hashes of both models' bytes in a plan, computed beside other work."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from weightbridge.formats.hashing import content_hash
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan


def with_content(plan: Plan, source: LayerGraph, target: LayerGraph) -> Plan:
    """The plan with the hashes of both models' bytes."""
    with content_meanwhile(source, target) as with_hashes:
        return with_hashes(plan)


@contextmanager
def content_meanwhile(source: LayerGraph, target: LayerGraph) -> Iterator[Callable[[Plan], Plan]]:
    """Hash both models' bytes side by side and beside other work, as hashing holds no lock.

    Gives what adds the hashes to a plan. That raises what hashing found wrong, as ModelError.
    """
    with ThreadPoolExecutor(2) as pool:
        of_source, of_target = (pool.submit(content_hash, graph) for graph in (source, target))
        yield lambda plan: replace(plan, source_sha256=of_source.result(), target_sha256=of_target.result())
