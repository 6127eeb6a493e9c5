"""The table of builders names the module of each: an operator that it does not name would be no layer."""

from importlib import import_module

import pytest

from weightbridge.formats.onnx.builders import BUILDERS, RARER, RECURRENT, builder_of


@pytest.mark.parametrize("module", sorted(set(RARER.values())))
def test_each_builder_of_a_module_is_named(module: str) -> None:
    builders = import_module(f"weightbridge.formats.onnx.{module}").BUILDERS
    assert set(builders) == {op for op, home in RARER.items() if home == module}


def test_an_operator_has_one_builder() -> None:
    assert not BUILDERS.keys() & RARER.keys()
    assert all(callable(builder_of(op)) for op in (*BUILDERS, *RARER, *RECURRENT))
    assert builder_of("NonZero") is None
