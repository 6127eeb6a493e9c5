"""The demonstration: a ResNet learns real digits, and its weights go into two other models.

One is the same ResNet under other names, the other an Inception fitted from it, beside fair controls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from weightbridge.adapters.fit.solve import solve
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
    moved: the share of the Inception's parameters that are fitted to the ResNet.
    transferred: the fitted Inception; controls: other starts of the same Inception, with the same inputs.
    """

    source: float
    before: float
    after: float
    report: Report
    moved: float
    transferred: Arm
    controls: tuple[Arm, ...]

    @property
    def gain(self) -> float:
        """How much better the fitted start is than the best control after the same fine-tuning."""
        return self.transferred.tuned - max(arm.tuned for arm in self.controls)

    @property
    def ahead(self) -> float:
        """The same without any labels."""
        return self.transferred.zero_shot - max(arm.zero_shot for arm in self.controls)


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
    report, filled = _transferred(nets, source, twin, Options(rules=options.rules))
    say(f"fitting a small Inception to it, another architecture, on {len(data.x):,} images without labels")
    target = nets.inception((8, 8, 1), 10, seed=SEEDS[0] + 100)
    start = target.get_weights()
    fit = Options(adapt="fit", calibrate=data.x, rules=options.rules)
    across, given = _transferred(nets, source, target, fit)
    with_head = _with_head(nets, target, start, nets.outputs(source, data.x), data)
    say(f"measuring its starts: {len(SEEDS)} draws of {PER_CLASS} labelled images per class")
    return Demonstration(
        source=nets.accuracy(source, data.x_test, data.y_test),
        before=nets.accuracy(twin, data.x_test, data.y_test),
        after=nets.accuracy(filled, data.x_test, data.y_test),
        report=report,
        moved=_moved(across),
        transferred=_arm(nets, target, "fitted", given.get_weights(), data),
        controls=(
            _arm(nets, target, "random", start, data),
            _arm(nets, target, "random, head", with_head, data),
        ),
    )


def text(shown: Demonstration) -> str:
    """Both results, and what the second means in one sentence, whichever way it went."""
    steps = shown.report.plan.steps if shown.report.plan else ()
    exact = sum(s.contract == "bitwise" for s in steps)
    row = "{:<40}{:>10}{:>16}{:>10}".format
    arms = (*shown.controls, shown.transferred)
    compared = f"both models run and compared: verdict {shown.report.verdict}"
    lossy = "fitted layer by layer by least squares, without labels"
    lines = (
        "1. The same ResNet under other names: trained.h5 into a .keras file",
        f"   the trained ResNet:                {shown.source:.1%} of the test digits right",
        f"   the renamed one, as built:         {shown.before:.1%}",
        f"   the renamed one, after transfer:   {shown.after:.1%}",
        f"   {exact} of {len(steps)} tensors read back bit for bit; {compared}",
        "",
        "2. Another architecture: an Inception that has the ResNet's knowledge",
        f"   {shown.moved:.0%} of the Inception's parameters {lossy}",
        row("   the same inputs and budget for all", *(arm.name for arm in arms)),
        row("   no labels, BatchNorm calibrated", *(f"{arm.zero_shot:.1%}" for arm in arms)),
        row(f"   linear head on {PER_CLASS} labels per class", *(f"{arm.probe:.1%}" for arm in arms)),
        row(f"   fine-tuned on {PER_CLASS} labels per class", *(f"{arm.tuned:.1%}" for arm in arms)),
        *(f"   {line}" for line in conclusion(shown)),
    )
    return "\n".join(lines)


def conclusion(shown: Demonstration) -> tuple[str, ...]:
    """Against the best control, without labels and after fine-tuning; under two points is no difference."""
    without = _compared(shown.ahead, "Without labels the fitted Inception is")
    tuned = _compared(shown.gain, "After the same fine-tuning it is")
    random = (
        '"random, head": a random start, its head in closed form on the ResNet\'s logits, by the same inputs.'
    )
    return random, without, tuned


def _compared(gain: float, what: str) -> str:
    if abs(gain) * 100 < 2:
        return f"{what} within {abs(gain) * 100:.1f} points of the best control: no difference."
    return f"{what} {abs(gain) * 100:.1f} points {'better' if gain > 0 else 'worse'} than the best control."


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
        report = transfer(trained, built, filled, options)
        report.raise_for_verdict()
        return report, nets.load(filled)


def _moved(report: Report) -> float:
    steps = report.plan.steps if report.plan else ()
    total = sum(step.size for step in steps)
    moved = sum(step.size for step in steps if step.sources)
    return moved / max(total, 1)


def _with_head(nets: Any, model: Any, start: list[Array], wanted: Array, data: Digits) -> list[Array]:
    """The random start with a head in closed form on the source's logits: what inputs alone can do."""
    model.set_weights(start)
    nets.calibrate(model, data.x)
    solution = solve(nets.outputs(model, data.x, "features"), wanted, np.arange(len(data.x)) % 5 == 4)
    model.get_layer("logits").set_weights([solution.weights, solution.bias])
    return list(model.get_weights())


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
