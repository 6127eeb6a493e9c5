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
    with source_meanwhile(source) as with_source, ThreadPoolExecutor(1) as pool:
        of_target = pool.submit(content_hash, target)
        yield lambda plan: replace(with_source(plan), target_sha256=of_target.result())


@contextmanager
def source_meanwhile(source: LayerGraph) -> Iterator[Callable[[Plan], Plan]]:
    """The same of the source alone, where the target is a file of zeros that nobody keeps."""
    with ThreadPoolExecutor(1) as pool:
        of_source = pool.submit(content_hash, source)
        yield lambda plan: replace(plan, source_sha256=of_source.result())
