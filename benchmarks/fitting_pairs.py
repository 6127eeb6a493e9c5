"""What `--adapt fit` says of a pair before and after, against what it is worth, over pairs of families.

Sources of seven families are trained on the embedded digits, and three more on labels drawn by lot.
Labels are given for the controls alone, nothing is fitted to them. Before is R2 of the source's logits in the
trials over that of the best control there, as `check` prints it; after is the same of the whole fit; the
gain is accuracy on other images over the best control.

    python benchmarks/fitting_pairs.py [SOURCE-TARGET ...]
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from fitting_families import network
from scipy import stats

import weightbridge as wb
from weightbridge.adapters.fit.carry_out import as_told
from weightbridge.adapters.fit.snapshot import snapshot
from weightbridge.adapters.fit.worth import Exam, arm, controls
from weightbridge.commands.demo_digits import Digits, digits
from weightbridge.formats.flow import forward
from weightbridge.formats.keras.framework import demo
from weightbridge.formats.keras.framework.flow import flow

PAIRS = (
    ("vgg by lot", "inception"),
    ("mobilenet", "vgg"),
    ("resnet", "mobilenet"),
    ("inception", "vgg"),
    ("resnet", "inception"),
    ("vgg", "densenet"),
    ("resnet by lot", "vgg"),
    ("densenet", "resnet"),
    ("mobilenet", "convnext"),
    ("resnet", "convnext"),
    ("inception", "efficientnet"),
    ("convnext", "resnet"),
    ("mobilenet by lot", "resnet"),
    ("vgg", "resnet"),
    ("efficientnet", "densenet"),
    ("convnext", "mobilenet"),
)
UNLABELLED = 600
NOTICED = 0.03  # of 597 images
LEAST, WRONG = 0.7, 12  # Spearman's rank correlation; of so many pairs one warning may be wrong


@dataclass(frozen=True, slots=True)
class Row:
    """before, after: what is said of the pair; fitted, control: accuracy on images that nobody has seen."""

    pair: str
    before: float
    after: float
    fitted: float
    control: float
    is_warned: bool

    @property
    def gain(self) -> float:
        return self.fitted - self.control


def main() -> int:
    """Prints a table, both rank correlations, and how often WB308 is wrong; 1 where a bound is broken."""
    data, sources = digits(), dict[str, Any]()
    wanted = [tuple(name.split("-")) for name in sys.argv[1:]] or PAIRS
    print("| pair | R2 over the best control's before | after | fitted | best control | gain | WB308 |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for source, target in wanted:
        if source not in sources:
            sources[source] = trained(source, data)
        rows.append(measured(f"{source} -> {target}", sources[source], network(target, 101), data))
        print(said(rows[-1]), flush=True)
    return judged(rows)


def trained(name: str, data: Digits) -> Any:
    """`resnet by lot`: on labels drawn by lot, so that its features are worth little."""
    family, _, lot = name.partition(" ")
    model = network(family, 0)
    y = np.random.default_rng(0).permutation(data.y) if lot else data.y
    demo.train(model, data.x, y, 8, 0, 4e-3)
    return model


def measured(pair: str, source: Any, target: Any, data: Digits) -> Row:
    """The transfer's own words, and the accuracy on the images that are for measuring."""
    x, fresh = data.x[:UNLABELLED], target.get_weights()
    report = wb.transfer(
        source,
        target,
        adapt="fit",
        calibrate={"x": x, "y": data.y[:UNLABELLED]},
        verify=False,
        fail_on="never",
        on_fail="return",
    )
    fit = report.verification.evidence["fit"]
    ours, theirs = flow(target, x), flow(source, x)
    pairs = as_told(ours, theirs, [tuple(cut) for cut in fit["cuts"]])
    last = pairs[-1]
    wanted, judged_on = (forward(theirs, part, last.source.before) for part in (x, data.x_test))
    exam = Exam(x, data.x_test, wanted, judged_on, data.y_test)
    fitted = arm("fitted", ours, last.target, exam)
    target.set_weights(fresh)
    others = controls(ours, pairs, exam, snapshot(ours), None)
    best = max(other.accuracy or 0.0 for other in others)
    is_warned = any(found.code == "WB308" for found in report.findings)
    mine, *theirs_arms = (one["logit_r2"] for one in fit["arms"])
    return Row(
        pair, fit["score"] - fit["control"], mine - max(theirs_arms), fitted.accuracy or 0.0, best, is_warned
    )


def said(row: Row) -> str:
    warned = "yes" if row.is_warned else "no"
    numbers = (row.before, row.after, row.fitted, row.control, row.gain)
    return f"| {row.pair} | {' | '.join(f'{number:.3f}' for number in numbers)} | {warned} |"


def judged(rows: list[Row]) -> int:
    """A gain below two standard errors of the accuracy is none."""
    gains = [row.gain for row in rows]
    before, after = (
        float(stats.spearmanr([getattr(row, key) for row in rows], gains).statistic)
        for key in ("before", "after")
    )
    wrong = [row.pair for row in rows if row.is_warned == (row.gain > NOTICED)]
    print(f"\nSpearman against the gain: before {before:.2f}, after {after:.2f} (at least {LEAST})")
    print(f"WB308 wrong for {len(wrong)} of {len(rows)} pairs: {', '.join(wrong) or 'none'}")
    return int(min(before, after) < LEAST or len(wrong) * WRONG > len(rows))


if __name__ == "__main__":
    sys.exit(main())
