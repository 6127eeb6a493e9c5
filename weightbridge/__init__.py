"""weightbridge: move pre-trained weights into the model you have, and prove that they arrived."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from weightbridge.errors import VerdictError, WeightbridgeError
from weightbridge.version import __version__

if TYPE_CHECKING:
    from weightbridge.api import check, inspect, plan, read, transfer, verify
    from weightbridge.api.advising import advise
    from weightbridge.api.calibrating import recalibrate
    from weightbridge.api.converting import convert
    from weightbridge.commands.features import features
    from weightbridge.commands.freeze import freeze
    from weightbridge.commands.stitch import stitch
    from weightbridge.model.graph import LayerGraph
    from weightbridge.plan import Plan
    from weightbridge.report.values import Report

__all__ = [
    "LayerGraph", "Plan", "Report", "VerdictError", "WeightbridgeError", "__version__",
    "advise", "check", "convert", "features", "freeze", "inspect", "plan", "read", "recalibrate",
    "stitch", "transfer", "verify",
]  # fmt: skip

# Where each public name lives; loaded at first use, so that `weightbridge --help` starts without numpy.
_HOMES = {
    **dict.fromkeys(("check", "inspect", "plan", "read", "transfer", "verify"), "weightbridge.api"),
    "advise": "weightbridge.api.advising",
    "convert": "weightbridge.api.converting",
    "recalibrate": "weightbridge.api.calibrating",
    "features": "weightbridge.commands.features",
    "freeze": "weightbridge.commands.freeze",
    "stitch": "weightbridge.commands.stitch",
    "LayerGraph": "weightbridge.model.graph",
    "Plan": "weightbridge.plan",
    "Report": "weightbridge.report.values",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'weightbridge' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """The package, whose functions stay in view.

    Importing weightbridge.plan sets the attribute `plan` of the package: that must not hide the function.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
