"""The table of builders names the module of each: what is not in it would never be drawn."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import pytest

from weightbridge.converting import from_graph
from weightbridge.converting.from_graph.table import OPAQUE, OPS, SLICES, by_class, by_op, of_slice


def tables(name: str) -> Iterator[tuple[str, str]]:
    """Each name that a module of the package has a builder for, with the module."""
    package = f"{from_graph.__name__}."
    for module in walk_packages(from_graph.__path__, package):
        found, home = getattr(import_module(module.name), name, {}), module.name.removeprefix(package)
        yield from ((key, home) for key, builder in found.items() if callable(builder))


@pytest.mark.parametrize(("table", "homes"), [("BUILDERS", OPS), ("CLASSES", OPAQUE)])
def test_each_builder_is_named_with_its_module(table: str, homes: dict[str, str]) -> None:
    theirs = [(key, module) for key, module in tables(table) if (key, module) != ("Gather", "parts.indexing")]
    assert sorted(theirs) == sorted(homes.items())


def test_slices_have_tables_of_their_own() -> None:
    assert all(callable(of_slice(name)) for name in SLICES)
    assert of_slice("Slice") is None


def test_what_no_module_draws_has_no_builder() -> None:
    assert by_op("Opaque") is None
    assert by_class("NonZero") is None
    assert callable(by_op("Conv"))
    assert callable(by_class("ReduceSum"))
