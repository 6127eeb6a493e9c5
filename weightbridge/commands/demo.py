"""The demonstration: a ResNet learns real digits, and its weights go into two other models.

One is the same ResNet under other names, the other an Inception, beside a fair control.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.demo_digits import Digits, digits, few, linear_head
from weightbridge.commands.transfer import transfer
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array
from weightbridge.report.values import Report

PLAIN = Options()
SEEDS = (0, 1, 2)
PER_CLASS = 5
EPOCHS = 20
# Of ten classes; a network that answers at random scores 0.10, or near it where it prefers some classes.
GUESSING = 0.25


@dataclass(frozen=True, slots=True)
class Arm:
    """Accuracies on the test images of one way to start the Inception, the mean of all draws of labels."""

    name: str
    zero_shot: float
    probe: float
    tuned: float


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What was measured.

    report: that of the main case, the renamed ResNet; before, after: its accuracies.
    moved: the share of the Inception's parameters that come from the ResNet.
    """

    source: float
    before: float
    after: float
    report: Report
    moved: float
    transferred: Arm
    control: Arm

    @property
    def gain(self) -> float:
        """How much better the transferred start is than the control after the same fine-tuning."""
        return self.transferred.tuned - self.control.tuned


def demonstrate(say: Callable[[str], None], options: Options = PLAIN) -> Demonstration:
    """Train, transfer, measure; `say` is told what is going on, the options say by which rules.

    Raises Unsupported where Keras with TensorFlow is not installed.
    """
    nets = _networks()
    data = digits()
    say(f"training a small ResNet on {len(data.x):,} real handwritten digits")
    source = nets.resnet((8, 8, 1), 10, seed=SEEDS[0])
    nets.train(source, data.x, data.y, epochs=15, seed=SEEDS[0])
    say("transferring its weights into the same ResNet under other names, and running both")
    twin = nets.renamed(source, SEEDS[0] + 50)
    report, filled = _transferred(nets, source, twin, options)
    say("transferring its weights into a small Inception, another architecture")
    target = nets.inception((8, 8, 1), 10, seed=SEEDS[0] + 100)
    start = target.get_weights()
    across, given = _transferred(nets, source, target, options)
    say(
        f"measuring both starts of the Inception: {len(SEEDS)} draws of {PER_CLASS} labelled images per class"
    )
    return Demonstration(
        source=nets.accuracy(source, data.x_test, data.y_test),
        before=nets.accuracy(twin, data.x_test, data.y_test),
        after=nets.accuracy(filled, data.x_test, data.y_test),
        report=report,
        moved=_moved(across),
        transferred=_arm(nets, target, "transferred", given.get_weights(), data),
        control=_arm(nets, target, "random start", start, data),
    )


def text(shown: Demonstration) -> str:
    """Both results, and what the second means in one sentence, whichever way it went."""
    steps = shown.report.plan.steps if shown.report.plan else ()
    exact = sum(s.contract == "bitwise" for s in steps)
    row = "{:<44}{:>12}{:>14}".format
    arms = (shown.control, shown.transferred)
    compared = f"both models run and compared: verdict {shown.report.verdict}"
    lossy = "selected, repeated and rescaled: lossy, and said so"
    lines = (
        "1. The same ResNet under other names: trained.h5 into a .keras file",
        f"   the trained ResNet:                {shown.source:.1%} of the test digits right",
        f"   the renamed one, as built:         {shown.before:.1%}",
        f"   the renamed one, after transfer:   {shown.after:.1%}",
        f"   {exact} of {len(steps)} tensors read back bit for bit; {compared}",
        "",
        "2. Another architecture: the ResNet's weights alone as the start of an Inception",
        f"   {shown.moved:.0%} of the Inception's parameters come from the ResNet, {lossy}",
        row("   the same budget for both", *(arm.name for arm in arms)),
        row("   no labels, BatchNorm calibrated", *(f"{arm.zero_shot:.1%}" for arm in arms)),
        row(f"   linear head on {PER_CLASS} labels per class", *(f"{arm.probe:.1%}" for arm in arms)),
        row(f"   fine-tuned on {PER_CLASS} labels per class", *(f"{arm.tuned:.1%}" for arm in arms)),
        *(f"   {line}" for line in conclusion(shown)),
    )
    return "\n".join(lines)


def conclusion(shown: Demonstration) -> tuple[str, ...]:
    """Better, worse or no difference after fine-tuning; under two points is called no difference."""
    points = f"{abs(shown.gain) * 100:.1f} points"
    worse = "worse: here it is better to start the Inception from its own weights"
    side = "better" if shown.gain > 0 else worse
    tuned = f"After the same fine-tuning the transferred start is {points} {side}."
    if abs(shown.gain) * 100 < 2:
        tuned = f"After fine-tuning the two are within {points}: here this transfer makes no difference."
    if max(shown.transferred.zero_shot, shown.control.zero_shot) > GUESSING:
        return (tuned,)
    guess = "Without labels both guess (chance is 10 %)"
    return f"{guess}: weights do not carry over what another architecture computes.", tuned


def _networks() -> Any:
    try:
        return import_module("weightbridge.formats.keras.framework.demo")
    except ImportError as error:
        extra = 'pip install "weightbridge-toolkit[tensorflow]"'
        fix = f'install the extra: {extra}, or -e ".[tensorflow]" in a clone'
        raise Unsupported(
            f"the demo trains its models with Keras, which cannot be imported here ({error})", fix=fix
        ) from error


def _transferred(nets: Any, source: Any, target: Any, options: Options) -> tuple[Report, Any]:
    """The report of the transfer from an .h5 file into a .keras file, and the model that it wrote."""
    with TemporaryDirectory() as folder:
        trained, built, filled = (
            Path(folder) / name for name in ("trained.h5", "target.keras", "output.keras")
        )
        nets.save(source, trained)
        nets.save(target, built)
        report = transfer(trained, built, filled, Options(adapt="weights", rules=options.rules))
        report.raise_for_verdict()
        return report, nets.load(filled)


def _moved(report: Report) -> float:
    steps = report.plan.steps if report.plan else ()
    total = sum(step.size for step in steps)
    moved = sum(step.size for step in steps if step.sources)
    return moved / max(total, 1)


def _arm(nets: Any, model: Any, name: str, start: list[Array], data: Digits) -> Arm:
    """One start of the model: calibrated on the unlabelled images, then probed and fine-tuned."""
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
