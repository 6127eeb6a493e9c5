"""The public functions: a path, `py:module:callable` or a live keras.Model on either side, options by the command's names."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from weightbridge import formats, inplace, pipeline
from weightbridge.errors import UsageError
from weightbridge.graph import LayerGraph
from weightbridge.options import Options
from weightbridge.plan import Plan
from weightbridge.report.values import Report

PATHS = ("plan", "policy", "probe", "calibrate")
LISTS = ("fresh", "unused")


def read(model: Any, **arguments: Any) -> LayerGraph:
    """The layer graph of a model; headers only. `arguments` go to the callable of `py:module:callable`.

    Raises a ModelError for anything that cannot be read.
    """
    return formats.read(model, arguments)


def inspect(model: Any, **options: Any) -> Report:
    """What a model is made of; headers only."""
    return pipeline.inspect(model, make_options(options))


def check(source: Any, target: Any, **options: Any) -> Report:
    """Match, plan and report; writes nothing."""
    return pipeline.check(source, target, make_options(options))


def plan(source: Any, target: Any, **options: Any) -> Plan:
    """The plan that `transfer` would carry out. `plan.save(path)` writes it as a lockfile, with the hashes of both models."""
    return pipeline.hashed_plan(source, target, make_options(options))


def transfer(source: Any, target: Any, output: str | Path | None = None, **options: Any) -> Report:
    """Plan, transfer and verify: into the file `output`, or in place into a live model.

    In place it is all or nothing: on a failure, or a verdict that is no pass, the model has its old values.
    """
    made = make_options(options)
    if output is not None:
        return pipeline.transfer(source, target, Path(output), made)
    if isinstance(target, str | Path):
        raise UsageError("a target that is a file needs an output", fix="say output=PATH, or give a live keras.Model")
    return inplace.transfer(source, target, made)


def verify(a: Any, b: Any, **options: Any) -> Report:
    """Run both on the same probes, compare outputs and every matched layer."""
    return pipeline.verify(a, b, make_options(options))


def make_options(given: Mapping[str, Any]) -> Options:
    """Options from keywords: strings become paths, a single glob a tuple, `map` takes a dict or pairs.

    Raises UsageError for a name that no option has.
    """
    known = {f.name for f in fields(Options)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise UsageError(f"unknown option {unknown[0]!r}", fix=f"known are {', '.join(sorted(known))}")
    values = dict(given)
    for name in PATHS:
        if values.get(name) is not None:
            values[name] = Path(values[name])
    for name in LISTS:
        values[name] = _strings(values.get(name, ()))
    values["rules"] = tuple(Path(p) for p in _strings(values.get("rules", ())))
    pairs = values.get("map", ())
    values["map"] = tuple(pairs.items()) if isinstance(pairs, Mapping) else tuple((str(s), str(t)) for s, t in pairs)
    return Options(**values)


def _strings(value: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    return (str(value),) if isinstance(value, str | Path) else tuple(str(v) for v in value)
