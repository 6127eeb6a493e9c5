"""Processor time of `--adapt fit` by inputs, pixels and layers: no more than linear in inputs and layers.

A residual network into an Inception and a MobileNet behind a stem, and into plain networks of more and more
layers; all untrained: time does not depend on values. `resnet50` adds ResNet50 into InceptionV3. The controls
are part of it, building the models is not.

    python benchmarks/fitting_scale.py [resnet50]
"""

import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from fitting_families import CLASSES, FAMILIES, unit
from keras import layers

import weightbridge as wb

INPUTS, SIZES, TARGETS = (100, 200, 400), (96, 160), ("inception", "mobilenet")
DEPTHS = (8, 16, 32)  # layers of the plain networks
SLACK = 1.3  # of what is linear


@dataclass(frozen=True, slots=True)
class Case:
    target: str
    inputs: int
    size: int
    source: str = "resnet"


def main() -> int:
    """1 where four times the inputs, or the layers, cost more than four times the time, and some slack."""
    spent(Case("inception", 20, 32))  # a process pays once for what is loaded
    print("| target | layers | pixels | inputs | processor time, s | times that of the row before |")
    print("|---|---|---|---|---|---|")
    tables = [[Case(name, n, size) for n in INPUTS] for name in TARGETS for size in SIZES]
    tables.append([Case(f"plain {depth}", 200, 96) for depth in DEPTHS])
    if "resnet50" in sys.argv[1:]:
        tables.append([Case("InceptionV3", 200, 96, "ResNet50")])
    kept = [measured(table) for table in tables]  # all of them
    is_kept = all(kept)
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\nmost memory: {gigabytes:.1f} GB; no more than linear: {'yes' if is_kept else 'no'}")
    return int(not is_kept)


def measured(cases: Sequence[Case]) -> bool:
    """A row for each; whether the last costs no more than four times the first."""
    before: list[float] = []
    for case in cases:
        count, now = spent(case)
        times = f"{now / before[-1]:.2f}" if before else ""
        print(f"| {case.target} | {count} | {case.size} | {case.inputs} | {now:.1f} | {times} |", flush=True)
        before.append(now)
    return before[-1] <= SLACK * 4 * before[0]


def spent(case: Case) -> tuple[int, float]:
    """How many layers were fitted, and the time of the whole transfer but building the models."""
    source, target = built(case.source, 0, case.size), built(case.target, 1, case.size)
    x = np.random.default_rng(0).standard_normal((case.inputs, *source.input_shape[1:])).astype("float32")
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
    return keras.Model(
        image, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)), name=name.split(maxsplit=1)[0]
    )


def plain(x: Any, depth: int) -> Any:
    for n in range(depth):
        x = unit(x, 24, 3, 2 if n == depth // 2 else 1)
    return x


if __name__ == "__main__":
    sys.exit(main())
