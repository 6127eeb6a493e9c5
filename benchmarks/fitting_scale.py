"""Processor time of `--adapt fit` by the number of inputs, their size and the layers: no more than linear in each.

A residual network into an Inception and a MobileNet behind a stem, and into plain networks of more and more
layers; all untrained: time does not depend on values. `resnet50` adds ResNet50 into InceptionV3.

    python benchmarks/fitting_scale.py [resnet50]
"""

import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from fitting_families import CLASSES, FAMILIES, unit
from keras import layers

import weightbridge as wb

INPUTS, SIZES, TARGETS = (100, 200, 400), (96, 160), ("inception", "mobilenet")
DEPTHS = (8, 16, 32)  # layers of the plain networks
SLACK = 1.3  # of what is linear


def main() -> int:
    """1 where four times the inputs, or the layers, cost more than four times the time, and some slack."""
    once(("resnet", "inception"), 20, 32)  # a process pays once for what is loaded
    print("| target | layers | pixels | inputs | processor time, s | times that of the row before |")
    print("|---|---|---|---|---|---|")
    rows = [[(family, size, n) for n in INPUTS] for family in TARGETS for size in SIZES]
    kept = [measured([(once, ("resnet", family), n, size) for family, size, n in row]) for row in rows]
    kept.append(measured([(once, ("resnet", f"plain {depth}"), 200, 96) for depth in DEPTHS]))
    if "resnet50" in sys.argv[1:]:
        kept.append(measured([(once, ("ResNet50", "InceptionV3"), 200, 96)]))
        print(f"\nmost memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")
    print(f"\nno more than linear: {'yes' if all(kept) else 'no'}")
    return int(not all(kept))


Case = tuple[Callable[[tuple[str, str], int, int], tuple[int, float]], tuple[str, str], int, int]


def measured(cases: list[Case]) -> bool:
    """A row for each; whether the last costs no more than four times the first."""
    spent: list[float] = []
    for run, pair, inputs, size in cases:
        count, now = run(pair, inputs, size)
        times = f"{now / spent[-1]:.2f}" if spent else ""
        print(f"| {pair[1]} | {count} | {size} | {inputs} | {now:.1f} | {times} |", flush=True)
        spent.append(now)
    return spent[-1] <= SLACK * 4 * spent[0]


def once(pair: tuple[str, str], inputs: int, size: int) -> tuple[int, float]:
    """How many layers were fitted, and the time of the whole transfer but building the models."""
    source, target = (built(name, seed, size) for seed, name in enumerate(pair))
    x = np.random.default_rng(0).standard_normal((inputs, *source.input_shape[1:])).astype("float32")
    start = time.process_time()
    report = wb.transfer(
        source, target, adapt="fit", calibrate={"x": x}, verify=False, fail_on="never", on_fail="return"
    )
    return len(report.verification.evidence["fit"]["layers"]), time.process_time() - start


def built(name: str, seed: int, size: int) -> Any:
    keras.utils.set_random_seed(seed)
    if name in ("ResNet50", "InceptionV3"):
        make = getattr(keras.applications, name)
        return make(weights=None, input_shape=(size, size, 3), classes=CLASSES, classifier_activation=None)
    image = layers.Input((size, size, 3))
    x = layers.MaxPooling2D(2)(unit(image, 16, 5, 2))
    x = plain(x, int(name.split()[1])) if name.startswith("plain") else FAMILIES[name](x)
    return keras.Model(image, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)), name=name.split()[0])


def plain(x: Any, depth: int) -> Any:
    for n in range(depth):
        x = unit(x, 24, 3, 2 if n == depth // 2 else 1)
    return x


if __name__ == "__main__":
    sys.exit(main())
