"""Keras dialects applied: a config of Keras 1, 2 or tf.keras in today's terms, by rules/dialects.

Files of Keras 3 have no dialect: no rule is read for them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.keras.architecture.branches import joined
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.rules.dialects import Dialect, admits, dialects
from weightbridge.rules.folders import users

MODERN = (3,)
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file says of who wrote it.

    Keras's version (as numbers), the backend, and the names of its weights.
    """

    version: tuple[int, ...]
    backend: str = ""
    weights: tuple[str, ...] = ()


def normalised(model: ConfigLayer, origin: Origin, where: str) -> tuple[ConfigLayer, tuple[Finding, ...]]:
    """The model in today's terms, and one finding per rule that applied, which names the layers."""
    if origin.version >= MODERN:
        return model, ()
    hits: dict[str, list[str]] = {}
    rules = [rule for rule in dialects(users()) if admits(rule.versions, origin.version)]
    changed = _normalised(model, rules, origin, hits)
    findings = tuple(_finding(rule, hits[rule.id]) for rule in rules if rule.id in hits)
    return joined(changed, where), findings


def weight_findings(origin: Origin) -> tuple[Finding, ...]:
    """The findings of rules about names of weights alone, for files without architecture."""
    if origin.version >= MODERN:
        return ()
    rules = [rule for rule in dialects(users()) if "weights" in rule.match]
    admitted = [rule for rule in rules if admits(rule.versions, origin.version)]
    named = [(rule, _named(rule, origin)) for rule in admitted]
    return tuple(_finding(rule, names) for rule, names in named if names)


def applies(rule: Dialect, layer: ConfigLayer, origin: Origin) -> bool:
    """Whether a rule is about this layer (its versions aside)."""
    match, config = rule.match, layer.config
    if not _is_of_class(rule, layer):
        return False
    tests = (
        "has" not in match or any(key in config for key in match["has"]),
        not any(key in config for key in match.get("lacks", ())),
        all(_holds(config.get(key), values) for key, values in match.get("where", {}).items()),
        "either" not in match
        or any(_holds(config.get(key), values) for key, values in match["either"].items()),
        layer.class_name not in match.get("unless_class", ()),
        match.get("unless_trait") not in layer.traits,
        all(_count(config.get(key)) > 0 for key in match.get("listed", ())),
        all(_count(config.get(key)) > 1 for key in match.get("several", ())),
        "trait" not in match or match["trait"] in layer.traits,
        all(_holds_inside(config, key, wanted) for key, wanted in match.get("inside", {}).items()),
        "backend" not in match or origin.backend in match["backend"],
        "weights" not in match or bool(_named(rule, origin)),
    )
    return all(tests)


def _is_of_class(rule: Dialect, layer: ConfigLayer) -> bool:
    """The first question, which most rules answer with no."""
    classes = rule.match.get("class")
    return classes is None or any(fnmatchcase(layer.class_name, name) for name in classes)


def changed(rule: Dialect, layer: ConfigLayer) -> ConfigLayer:
    """The layer as the rule's `normalise` says."""
    how, config = rule.normalise, dict(layer.config)
    class_name = _class_name(how, layer)
    _collect(config, how.get("collect", {}))
    _rename(config, how.get("rename", {}))
    _change_values(config, how.get("values", {}))
    config |= how.get("set", {})
    for key in how.get("drop", ()):
        config.pop(key, None)
    return replace(layer, class_name=class_name, config=MappingProxyType(config))


def _class_name(how: Mapping[str, Any], layer: ConfigLayer) -> str:
    """Today's class, told by the old one or by a value of the config."""
    name: str = how.get("classes", {}).get(layer.class_name, layer.class_name)
    if "class_by" not in how:
        return name
    by_value = how["class_by"]
    value = str(layer.config.get(by_value["key"]))
    told: str = by_value["names"].get(value, name)
    return told


def _collect(config: dict[str, Any], lists: Mapping[str, list[str]]) -> None:
    """Puts the values of several keys into one list."""
    for target, sources in lists.items():
        if all(source in config for source in sources):
            config[target] = [config.pop(source) for source in sources]


def _rename(config: dict[str, Any], names: Mapping[str, str]) -> None:
    for source, target in names.items():
        if source in config:
            config[target] = config.pop(source)


def _change_values(config: dict[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> None:
    for key, values in changes.items():
        value = config.get(key)
        if isinstance(value, str | int | float):
            config[key] = values.get(str(value), value)


def _normalised(
    layer: ConfigLayer, rules: Iterable[Dialect], origin: Origin, hits: dict[str, list[str]]
) -> ConfigLayer:
    for rule in rules:
        if applies(rule, layer, origin) and not _said(rule, hits):
            hits.setdefault(rule.id, []).append(layer.name)
            layer = changed(rule, layer)
    return replace(layer, layers=tuple(_normalised(inner, rules, origin, hits) for inner in layer.layers))


def _said(rule: Dialect, hits: Mapping[str, list[str]]) -> bool:
    """A rule about the file as a whole is said once."""
    return rule.id in hits and set(rule.match) <= {"weights", "backend"}


def _holds(value: Any, allowed: list[Any]) -> bool:
    """Whether a config's value is one of those allowed, type and all (1 is not True)."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed)


def _holds_inside(config: Mapping[str, Any], key: str, wanted: list[str]) -> bool:
    """Whether a part of the config (its key a glob) has one of these keys in a config of its own."""
    parts = [
        value.get("config")
        for name, value in config.items()
        if fnmatchcase(name, key) and isinstance(value, dict)
    ]
    return any(name in part for part in parts if isinstance(part, dict) for name in wanted)


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple) else 0


def _named(rule: Dialect, origin: Origin) -> list[str]:
    return [name for name in origin.weights if any(fnmatchcase(name, glob) for glob in rule.match["weights"])]


def _finding(rule: Dialect, names: list[str]) -> Finding:
    shown = listed(list(dict.fromkeys(names)), SHOWN)
    return finding(rule.code, f"{rule.cause}: {shown}", source=names[0], fix=rule.fix)
