"""Health: what can be said of a model that equals no other: finite, scaled and varying signals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Observable, Runner
from weightbridge.model.tensors import Array
from weightbridge.report.verification import Verification
from weightbridge.verify.floor import LEAST, Expected
from weightbridge.verify.power import is_constant
from weightbridge.verify.session import Session, fed, prepare, running
from weightbridge.verify.values import Setup, rounded

LOW, HIGH = 1e-4, 1e4  # an rms outside starves or overflows what comes after it
CHUNK = 16  # layers in memory at once
FIX = "recalibrate BatchNorm on data, or fine-tune the target"


def health(candidate: Runner, setup: Setup) -> tuple[Verification, tuple[Finding, ...]]:
    """Run the model on the core probes; nothing is claimed equal.

    WB405: NaN or Inf. WB308: an output or a layer of vanishing or exploding scale, or an output that is the
    same for every input.
    """
    session = prepare(candidate, candidate, setup)
    if isinstance(session, str):
        return Verification("health"), (finding("WB504", f"nothing was run: {session}"),)
    run = running(candidate, session, "reference")
    results = [(probe, run(probe.feeds)) for probe in session.probes if probe.core]
    measured = tuple(_measured(probe, result) for probe, result in results)
    outputs = tuple(_entry(pair.reference, one) for pair in session.outputs for one in measured)
    layers = _layers(candidate, session)
    findings = (
        *(f for pair in session.outputs for f in _output_findings(pair.reference, measured)),
        *_layer_findings(layers),
    )
    evidence = {
        "probes": [one.probe.name for one in measured],
        "outputs": len(session.outputs),
        "layers": len(layers),
    }
    return Verification("health", outputs, layers, evidence), findings


def _measured(probe: Any, result: Mapping[str, Array]) -> Expected:
    values = {name: np.asarray(array, np.float64) for name, array in result.items()}
    finite = frozenset(name for name, array in values.items() if np.isfinite(array).all())
    return Expected(probe, values, dict.fromkeys(values, LEAST), finite)


def _entry(name: str, one: Expected) -> Mapping[str, Any]:
    rms, is_finite = _rms(one.values[name]), name in one.finite
    return {"name": name, "probe": one.probe.name, **_scale(rms, is_finite)}


def _scale(rms: float, is_finite: bool) -> Mapping[str, Any]:
    return {"rms": rounded(rms), "finite": is_finite, "passed": is_finite and LOW <= rms <= HIGH}


def _output_findings(name: str, measured: Sequence[Expected]) -> tuple[Finding, ...]:
    finite = [one for one in measured if name in one.finite]
    if not finite:
        message = f"output {name!r} is NaN or Inf on every probe"
        return (finding("WB405", message, target=name, fix="look for NaN among the weights (WB106)"),)
    strength = max(_rms(one.values[name]) for one in finite)
    if not LOW <= strength <= HIGH:
        message = f"output {name!r} has an rms of {strength:.2g}, expected {LOW:g} to {HIGH:g}"
        return (finding("WB308", message, target=name, fix=FIX),)
    if is_constant(name, measured):
        return (finding("WB308", f"output {name!r} is the same for every input", target=name, fix=FIX),)
    return ()


def _layers(candidate: Runner, session: Session) -> tuple[Mapping[str, Any], ...]:
    """The scale of every layer's activation on the first probe."""
    names = candidate.layers if isinstance(candidate, Observable) else ()
    feeds = fed(session.probes[0].feeds, session.inputs, candidate, "reference")
    found: list[Mapping[str, Any]] = []
    for i in range(0, len(names), CHUNK):
        chunk = names[i : i + CHUNK]
        result = candidate.run(feeds, chunk)
        shown = (name for name in chunk if f"layer:{name}" in result)
        found += [_layer(name, result[f"layer:{name}"]) for name in shown]
    return tuple(found)


def _layer(name: str, activation: Array) -> Mapping[str, Any]:
    values = np.asarray(activation, np.float64)
    return {"target": name, **_scale(_rms(values), bool(np.isfinite(values).all()))}


def _layer_findings(layers: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """One finding for all: what starves one layer starves those behind it."""
    bad = [layer for layer in layers if not layer["passed"]]
    if not bad:
        return ()
    first = bad[0]
    what = f"an rms of {first['rms']:.2g}" if first["finite"] else "NaN or Inf"
    count = f"{len(bad)} of {len(layers)} layers carry an unhealthy signal"
    message = f"{count}, expected {LOW:g} to {HIGH:g}: first {first['target']!r} with {what}"
    return (finding("WB308", message, target=str(first["target"]), fix=FIX),)


def _rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0
