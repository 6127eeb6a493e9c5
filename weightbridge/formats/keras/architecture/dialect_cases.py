"""The cases inside a dialect rule: whether it is about a layer, and what it makes of it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.dialects import Origin, applies, changed
from weightbridge.rules.dialects import Dialect, admits, read_dialect, version_of


def tested(path: Path) -> tuple[int, tuple[str, ...]]:
    """How many cases the rule in this file has, and one sentence for each that does not hold.

    Raises RuleError.
    """
    rule = read_dialect(path)
    return len(rule.cases), tuple(
        problem for i, case in enumerate(rule.cases) for problem in failing(rule, case, i)
    )


def failing(rule: Dialect, case: Mapping[str, Any], index: int) -> tuple[str, ...]:
    """What is wrong with one case; empty where it holds."""
    origin = Origin(version_of(case["version"]), case.get("backend", ""), tuple(case.get("weights", ())))
    layer = _layer(case["layer"])
    if (admits(rule.versions, origin.version) and applies(rule, layer, origin)) is not case["matches"]:
        return (
            f"{rule.id}, case {index + 1}: "
            f"{layer.class_name} should {'' if case['matches'] else 'not '}match",
        )
    found = changed(rule, layer)
    got = {"class_name": found.class_name, "config": dict(found.config)}
    if case.get("becomes", got) != got:
        return (f"{rule.id}, case {index + 1}: becomes {got}, expected {case['becomes']}",)
    return ()


def _layer(told: Mapping[str, Any]) -> ConfigLayer:
    traits = frozenset(told.get("traits", ())) | ({"module"} if told.get("module") else set())
    return ConfigLayer(
        told.get("name", "layer"),
        told["class_name"],
        MappingProxyType(told["config"]),
        module=told.get("module", ""),
        traits=traits,
    )
