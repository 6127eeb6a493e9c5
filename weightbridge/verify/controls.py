"""Negative controls: models that must fail the same check.

One that passes shows that it proves nothing.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weightbridge.errors import ModelError, RunError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Runner
from weightbridge.model.tensors import Array
from weightbridge.verify.floor import Expected, Run
from weightbridge.verify.pairing import in_shape
from weightbridge.verify.session import Session, running
from weightbridge.verify.values import Control

Result = Mapping[str, Any]
LARGE = 64 << 20  # bytes of weights from which on looking for them takes less time than they take memory


def run_controls(
    controls: Sequence[Control], expected: Sequence[Expected], session: Session, nbytes: int = 0
) -> tuple[list[Result], tuple[Finding, ...]]:
    """The result of each control, and a WB502 for each that passes.

    A control that cannot be built or run is skipped, with the reason. nbytes: of the weights of each.
    """

    def outcome(wrong: Runner) -> Result:
        return _outcome(running(wrong, session, "candidate"), expected)

    results = []
    for control in controls:
        results.append(result_of(control, outcome))
        let_go(nbytes)  # one wrong model at a time
    passed = [result["name"] for result in results if result["result"] == "passed"]
    return results, tuple(_vacuous(name) for name in passed)


def let_go(nbytes: int) -> None:
    """The memory of models that nothing refers to any more: they refer to themselves."""
    if nbytes > LARGE:
        gc.collect()


def result_of(control: Control, outcome: Callable[[Runner], Result]) -> Result:
    """outcome: what comes of the check with the control's model."""
    if control.build is None:
        return {"name": control.name, "result": "skipped", "reason": control.reason}
    try:
        return {"name": control.name, **outcome(control.build())}
    except (RunError, ModelError) as error:
        return {"name": control.name, "result": "skipped", "reason": error.message}


def _vacuous(control: str) -> Finding:
    message = f"the control {control!r} passes the check, and must not"
    fix = "give inputs that excite the layers as probes; look for dead or saturated layers"
    return finding("WB502", message, target=control, fix=fix)


def shuffled(values: Iterable[tuple[str, Array]], seed: int) -> dict[str, str]:
    """Which tensor's value each tensor gets in the control "plan shuffled".

    Another of its shape and dtype.

    The two differ in their bytes. Empty where no two tensors of one shape differ, so that there is nothing to
    shuffle. Holds digests, not values.
    """
    groups: dict[tuple[tuple[int, ...], str], dict[str, str]] = {}
    for name, array in values:
        groups.setdefault((array.shape, str(array.dtype)), {})[name] = _digest(array)
    generator = np.random.default_rng([seed, 2])
    sources: dict[str, str] = {}
    for key in sorted(groups):
        sources |= _deranged(groups[key], generator)
    return sources


def _digest(array: Array) -> str:
    octets: NDArray[np.uint8] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return sha256(octets.data).hexdigest()


def _deranged(digests: Mapping[str, str], generator: np.random.Generator) -> dict[str, str]:
    """Each name gets another's value, of other bytes.

    The names in random order, then by value, are turned past the largest group of equals.
    """
    names = sorted(digests)
    order = sorted(generator.permutation(len(names)), key=lambda i: digests[names[i]])
    ordered = [names[i] for i in order]
    turn = max(Counter(digests.values()).values())
    pairs = zip(ordered, [*ordered[turn:], *ordered[:turn]], strict=True)
    return {name: source for name, source in pairs if digests[name] != digests[source]}


def _outcome(run: Run, expected: Sequence[Expected]) -> dict[str, Any]:
    """Stops at the first probe that tells the control from the reference."""
    for one in expected:
        got = run(one.probe.feeds)
        differing = [name for name in sorted(one.finite) if name in got and _differs(one, name, got[name])]
        if differing:
            return {"result": "failed", "probe": one.probe.name, "output": differing[0]}
    return {"result": "passed", "reason": "its outputs agree with the reference's"}


def _differs(expected: Expected, name: str, got: Array) -> bool:
    reference = expected.values[name]
    array = in_shape(reference, got)
    if array is None:
        return True
    return expected.compared(name, array).is_different
