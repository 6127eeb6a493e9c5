"""Assertions for tests: the weights have arrived, two models compute the same. They need no pytest."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any, NoReturn

from weightbridge.api.arguments import make_options
from weightbridge.boundary.asserting import settings
from weightbridge.boundary.options import Adapt, Evidence, Options
from weightbridge.commands.proof.held import held
from weightbridge.commands.proof.until import Until
from weightbridge.commands.verify import verify
from weightbridge.errors import UsageError
from weightbridge.plan import Plan
from weightbridge.report.policy import find_policy
from weightbridge.report.values import Report

__all__ = ["assert_equivalent", "assert_transferred"]

AnyPath = str | PathLike[str]
Globs = str | Iterable[str]
GOOD = ("pass", "warn")


def assert_transferred(
    source: Any,
    target: Any,
    *,
    plan: Plan | AnyPath | None = None,
    map: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    fresh: Globs = (),
    unused: Globs = (),
    adapt: Adapt = "none",
    min_exact: float = 0.0,
    min_coverage: float = 1.0,
    policy: AnyPath | None = None,
    baseline: AnyPath | None = None,
) -> Report:
    """Fails unless `target` holds the weights of `source`: they are matched, and compared bit by bit.

    source, target: each a path, `py:package.module:callable`, or a live keras.Model.
    plan, map, fresh, unused, adapt, policy, baseline: as of `weightbridge.check`; but `adapt` is `none`
        unless it is said, and the policy of the working directory holds where none is given.
    min_exact: the least share of the target's parameters that must be exact, 0 to 1.
    min_coverage: the least share with what is adapted and declared fresh.

    Raises AssertionError, with the report as text, unless the verdict is `pass` or `warn`; a UsageError or
    ModelError for what cannot be compared.

    >>> assert_transferred("models/r50.keras", build(), fresh=["label/*"], min_exact=0.8)
    """
    given = {"plan": plan, "map": map, "fresh": fresh, "unused": unused, "baseline": baseline}
    given |= {"adapt": adapt} if plan is None else {}
    options = _options(policy, given)
    options = replace(
        options,
        min_exact=max(options.min_exact, _fraction("min_exact", min_exact)),
        min_filled=max(options.min_filled, _fraction("min_coverage", min_coverage)),
    )
    return _asserted(held(source, target, options))


def assert_equivalent(
    a: Any,
    b: Any,
    *,
    probe: AnyPath | None = None,
    evidence: Evidence = "standard",
    until: Until | None = None,
    policy: AnyPath | None = None,
) -> Report:
    """Fails unless both models compute the same on the same inputs; what proves nothing fails too.

    a, b: each a path, `py:package.module:callable`, or a live keras.Model.
    probe: an `.npz` with inputs `x`, batch first, beside the generated ones.
    evidence: `quick`, `standard` or `full`: how much to run.
    until: a layer of either model, or its names in both: what it gives is compared instead of the outputs.
    policy: a TOML file; that of the working directory where none is given.

    Raises AssertionError, with the report as text, unless the verdict is `pass` or `warn`; a UsageError or
    ModelError for what cannot be compared.

    >>> assert_equivalent("backbone.keras", "backbone.onnx", until="pool", evidence="quick")
    """
    options = _options(policy, {"probe": probe, "evidence": settings().evidence or evidence})
    return _asserted(verify(a, b, options, until))


def _options(policy: AnyPath | None, given: Mapping[str, Any]) -> Options:
    chosen = policy or settings().policy or find_policy()
    known = {name: value for name, value in given.items() if value is not None}
    return make_options({**known, **({"policy": chosen} if chosen else {})})


def _fraction(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"{name}={value!r}: expected a number from 0 to 1", fix="0.8 is 80 %")
    return value


def _asserted(report: Report) -> Report:
    tell = settings().tell
    if tell is not None:
        tell(report)
    if report.verdict not in GOOD:
        _fail(report)
    return report


def _fail(report: Report) -> NoReturn:
    """pytest shows the text of the report, and no frame of ours."""
    __tracebackhide__ = True
    raise AssertionError(f"weightbridge\n{report}")
