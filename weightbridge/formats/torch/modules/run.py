"""A module as it runs: what a conversion of it is compared with."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from weightbridge.errors import RunError
from weightbridge.formats.running import InputSpec
from weightbridge.formats.torch.modules.call import Example, called
from weightbridge.model.tensors import Array


def runner(module: Any, example: Example, inputs: Sequence[InputSpec], dtype: str) -> "ModuleRunner":
    """inputs: what the exported file says of them. RunError where the module cannot be had in this dtype."""
    if dtype == "float64":
        module = _in_double(module)
        inputs = [_widened(spec) for spec in inputs]
    return ModuleRunner(module, example, inputs)


class ModuleRunner:
    """A module in evaluation mode on the CPU."""

    def __init__(self, module: Any, example: Example, inputs: Sequence[InputSpec]) -> None:
        self._module, self._example = module, example
        self.inputs = tuple(inputs)
        self.outputs = tuple(called(module, example, self._typed(example.values)))

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """The outputs in their order. RunError where the module does not run on these feeds."""
        values = self._typed([torch.from_numpy(np.array(feeds[spec.name])) for spec in self.inputs])
        given = called(self._module, self._example, values)
        return {name: value.detach().numpy() for name, value in given.items()}

    def _typed(self, values: Sequence[Any]) -> list[Any]:
        dtypes = (getattr(torch, spec.dtype) for spec in self.inputs)
        return [value.to(dtype) for value, dtype in zip(values, dtypes, strict=True)]


def _in_double(module: Any) -> Any:
    try:
        return deepcopy(module).double()
    except Exception as error:  # what holds computed tensors cannot be copied
        raise RunError(f"the module cannot be copied: {type(error).__name__}: {error}") from error


def _widened(spec: InputSpec) -> InputSpec:
    return replace(spec, dtype="float64") if spec.dtype == "float32" else spec
