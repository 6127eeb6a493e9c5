"""Two models for inputs of different sizes, brought to one shape that both take."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from weightbridge.errors import RunError
from weightbridge.formats.running import Adjustable, InputSpec, Runner, Shape
from weightbridge.verify.pairing import BACK, TURNS, Turn, pair_inputs
from weightbridge.verify.values import Control, Setup

Shapes = tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """The shapes that each side is rebuilt for; None where it takes the common ones as it is."""

    reference: Shapes | None = None
    candidate: Shapes | None = None

    def applied(self, setup: Setup) -> Setup:
        """Every further model of the setup, rebuilt for the same shapes."""
        return replace(
            setup,
            precise=_later(setup.precise, self.reference),
            precise_candidate=_later(setup.precise_candidate, self.candidate),
            controls=tuple(self._control(control) for control in setup.controls),
        )

    def _control(self, control: Control) -> Control:
        return replace(control, build=_later(control.build, self.candidate))


def fitted(reference: Runner, candidate: Runner, setup: Setup) -> tuple[Runner, Runner, Setup, str]:
    """Both runners on a shape that both take, the setup for it, and what was rebuilt ("" for nothing).

    As they are where they fit already, or where nothing makes them fit.
    """
    if pair_inputs(reference.inputs, candidate.inputs):
        return reference, candidate, setup, ""
    for fit in _fits(reference.inputs, candidate.inputs):
        try:
            sides = resized(reference, fit.reference), resized(candidate, fit.candidate)
        except RunError:
            continue
        if pair_inputs(sides[0].inputs, sides[1].inputs):
            return *sides, fit.applied(setup), _said(fit)
    return reference, candidate, setup, ""


def differ_in_size(reference: Runner, candidate: Runner) -> bool:
    """Whether both take as many inputs of the same ranks, and no shape in common."""
    ours, theirs = ([len(spec.shape) for spec in runner.inputs] for runner in (reference, candidate))
    return ours == theirs and not pair_inputs(reference.inputs, candidate.inputs)


def resized(runner: Runner, shapes: Shapes | None) -> Runner:
    """RunError where the model cannot be had in another shape."""
    if shapes is None:
        return runner
    if not isinstance(runner, Adjustable):
        raise RunError("the model takes one shape alone")
    return runner.resized(shapes)


def _later(build: Callable[[], Runner] | None, shapes: Shapes | None) -> Callable[[], Runner] | None:
    if build is None or shapes is None:
        return build
    return lambda: resized(build(), shapes)


def _fits(reference: Sequence[InputSpec], candidate: Sequence[InputSpec]) -> Iterator[Fit]:
    """The larger lengths of both, those of the reference, those of the candidate; first without a turn."""
    if len(reference) != len(candidate):
        return
    ours = tuple(spec.shape for spec in reference)
    for turn in TURNS:
        theirs = tuple(_turned(spec.shape, BACK[turn]) for spec in candidate)
        if not _are_alike(ours, theirs, turn):
            continue
        for common in dict.fromkeys((_larger(ours, theirs), _larger(ours, ours), _larger(theirs, theirs))):
            yield Fit(
                None if _takes(ours, common) else common,
                None if _takes(theirs, common) else tuple(_turned(shape, turn) for shape in common),
            )


def _are_alike(ours: Shapes, theirs: Shapes, turn: Turn) -> bool:
    """The same ranks and, of three axes and more, the same channels: first or last, last where turned."""
    return all(len(a) == len(b) and _has_channels(a, b, turn) for a, b in zip(ours, theirs, strict=True))


def _has_channels(a: Shape, b: Shape, turn: Turn) -> bool:
    if len(a) < 3:
        return True
    is_last, is_first = a[-1] == b[-1], a[1] == b[1]
    match turn:
        case "same":
            return is_last or is_first
        case "to-first":
            return is_last
        case "to-last":
            return is_first
        case "batch-second":
            return False


def _larger(ours: Shapes, theirs: Shapes) -> Shapes:
    return tuple(
        tuple(_largest(n, m) for n, m in zip(a, b, strict=True)) for a, b in zip(ours, theirs, strict=True)
    )


def _largest(n: int | None, m: int | None) -> int | None:
    """A free length goes along with a fixed one."""
    if n is None or m is None:
        return m if n is None else n
    return max(n, m)


def _takes(shapes: Shapes, common: Shapes) -> bool:
    pairs = [pair for a, b in zip(shapes, common, strict=True) for pair in zip(a, b, strict=True)]
    return all(own is None or own == wanted for own, wanted in pairs)


def _turned(shape: Shape, turn: Turn) -> Shape:
    """The axes of a shape as `pairing.turned` moves an array's."""
    if turn == "same" or len(shape) < 3:
        return shape
    if turn == "to-first":
        return (shape[0], shape[-1], *shape[1:-1])
    return (shape[0], *shape[2:], shape[1])


def _said(fit: Fit) -> str:
    sides = {"source": fit.reference, "target": fit.candidate}
    parts = [f"the {side} at {', '.join(map(str, shapes))}" for side, shapes in sides.items() if shapes]
    return " and ".join(parts)
