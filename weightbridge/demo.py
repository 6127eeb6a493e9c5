"""The demonstration: a ResNet learns real digits, its weights go into an Inception, and a fair control stands beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import pipeline
from weightbridge.digits import Digits, digits, few, linear_head
from weightbridge.errors import Unsupported
from weightbridge.options import Options
from weightbridge.report.values import Report
from weightbridge.tensors import Array

SEEDS = (0, 1, 2)
PER_CLASS = 5
EPOCHS = 20


@dataclass(frozen=True, slots=True)
class Arm:
    """Accuracies on the test images of one way to start the Inception, the mean of all draws of labels."""

    name: str
    zero_shot: float
    probe: float
    tuned: float


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What was measured. `report` is that of the transfer itself; `before` is the Inception's accuracy as it was built."""

    source: float
    before: float
    transferred: Arm
    control: Arm
    report: Report

    @property
    def gain(self) -> float:
        """How much better the transferred start is than the control after the same fine-tuning."""
        return self.transferred.tuned - self.control.tuned


def demonstrate(say: Callable[[str], None]) -> Demonstration:
    """Train, transfer, measure; `say` is told what is going on. Raises Unsupported where Keras with TensorFlow is not installed."""
    nets = _networks()
    data = digits()
    say(f"training a small ResNet on {len(data.x):,} real handwritten digits")
    source = nets.resnet((8, 8, 1), 10, seed=SEEDS[0])
    nets.train(source, data.x, data.y, epochs=15, seed=SEEDS[0])
    target = nets.inception((8, 8, 1), 10, seed=SEEDS[0] + 100)
    before, start = nets.accuracy(target, data.x_test, data.y_test), target.get_weights()
    say("transferring its weights into a small Inception")
    report, given = _transferred(nets, source, target)
    say(f"measuring both starts: {len(SEEDS)} draws of {PER_CLASS} labelled images per class")
    return Demonstration(
        source=nets.accuracy(source, data.x_test, data.y_test),
        before=before,
        transferred=_arm(nets, target, "transferred", given, data),
        control=_arm(nets, target, "random start", start, data),
        report=report,
    )


def text(shown: Demonstration) -> str:
    """The result as a table, and what it means in one sentence, whichever way it went."""
    steps = shown.report.plan.steps if shown.report.plan else ()
    moved = sum(s.size for s in steps if s.kind in ("copy", "transform", "adapt"))
    row = "{:<44}{:>12}{:>14}".format
    arms = (shown.control, shown.transferred)
    lines = (
        f"ResNet (source), trained on all labels: {shown.source:.1%} of the test digits right",
        f"Inception (target), as built: {shown.before:.1%}",
        f"Transfer: {moved:,} of {sum(s.size for s in steps):,} parameters come from the ResNet; verdict {shown.report.verdict}",
        "",
        row("Inception, same budget for both", *(arm.name for arm in arms)),
        row("  no labels (BatchNorm calibrated)", *(f"{arm.zero_shot:.1%}" for arm in arms)),
        row(f"  linear head on {PER_CLASS} labels per class", *(f"{arm.probe:.1%}" for arm in arms)),
        row(f"  fine-tuned on {PER_CLASS} labels per class", *(f"{arm.tuned:.1%}" for arm in arms)),
        "",
        conclusion(shown),
    )
    return "\n".join(lines)


def conclusion(shown: Demonstration) -> str:
    """Better, worse or no difference after fine-tuning; under two points is called no difference."""
    points = abs(shown.gain) * 100
    if points < 2:
        return f"After fine-tuning the two are within {points:.1f} points: here this transfer makes no difference."
    side = "better" if shown.gain > 0 else "worse"
    return f"After the same fine-tuning the transferred start is {points:.1f} points {side} than the random one."


def _networks() -> Any:
    try:
        return import_module("weightbridge.formats.keras_demo")
    except ImportError as error:
        fix = 'install the extra: pip install "weightbridge-toolkit[tensorflow]", or -e ".[tensorflow]" in a clone'
        raise Unsupported(f"the demo trains its models with Keras, which cannot be imported here ({error})", fix=fix) from error


def _transferred(nets: Any, source: Any, target: Any) -> tuple[Report, list[Array]]:
    """The report of the transfer, and the weights of the file that it wrote."""
    with TemporaryDirectory() as folder:
        paths = tuple(Path(folder) / f"{name}.keras" for name in ("resnet", "inception", "output"))
        source.save(paths[0])
        target.save(paths[1])
        report = pipeline.transfer(paths[0], paths[1], paths[2], Options(adapt="weights"))
        report.raise_for_verdict()
        return report, nets.load(paths[2]).get_weights()


def _arm(nets: Any, model: Any, name: str, start: list[Array], data: Digits) -> Arm:
    """The same model object for every arm: calibrated on the unlabelled images, then probed and fine-tuned."""
    model.set_weights(start)
    nets.calibrate(model, data.x)
    calibrated = model.get_weights()
    zero_shot = nets.accuracy(model, data.x_test, data.y_test)
    seen, unseen = (nets.outputs(model, x, "features") for x in (data.x, data.x_test))
    probes, tuned = [], []
    for seed in SEEDS:
        chosen = few(data.y, PER_CLASS, seed)
        probes.append(float((linear_head(seen[chosen], data.y[chosen], unseen) == data.y_test).mean()))
        model.set_weights(calibrated)
        nets.train(model, data.x[chosen], data.y[chosen], EPOCHS, seed)
        tuned.append(nets.accuracy(model, data.x_test, data.y_test))
    return Arm(name, zero_shot, mean(probes), mean(tuned))
