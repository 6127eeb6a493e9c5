"""One BLAS thread for many small products: beside a busy framework two wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def single_threaded() -> Iterator[None]:
    """While open, numpy's and scipy's BLAS use one thread, where threadpoolctl is there to say so."""
    try:
        threadpoolctl = import_module("threadpoolctl")
    except ImportError:
        yield
        return
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        yield
