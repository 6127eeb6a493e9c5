"""Processor time of `--adapt fit` by the number of inputs and their size: no more than linear in the former.

A small residual network into a small Inception and a MobileNet, untrained: time does not depend on values.

    python benchmarks/fitting_scale.py
"""

import sys
import time

import numpy as np
from fitting_families import network

import weightbridge as wb

INPUTS, SIZES, TARGETS = (100, 200, 400), (32, 64), ("inception", "mobilenet")
SLACK = 1.3  # of what is linear


def main() -> int:
    """1 where four times the inputs cost more than four times the time, and some slack."""
    print("| target | pixels | inputs | processor time, s | times that of the row before |")
    print("|---|---|---|---|---|")
    is_kept = True
    for target in TARGETS:
        for size in SIZES:
            spent = [seconds(target, size, inputs) for inputs in INPUTS]
            for n, (inputs, now) in enumerate(zip(INPUTS, spent, strict=True)):
                times = f"{now / spent[n - 1]:.2f}" if n else ""
                print(f"| {target} | {size} | {inputs} | {now:.1f} | {times} |", flush=True)
            is_kept = is_kept and spent[-1] <= SLACK * spent[0] * INPUTS[-1] / INPUTS[0]
    print(f"\nno more than linear in the inputs: {'yes' if is_kept else 'no'}")
    return int(not is_kept)


def seconds(target: str, size: int, inputs: int) -> float:
    """Of the whole transfer but building the models; the first one of a process pays for what is loaded."""
    x = np.random.default_rng(0).standard_normal((inputs, size, size, 1)).astype("float32")
    source, filled = network("resnet", 0, (size, size, 1)), network(target, 1, (size, size, 1))
    if inputs == INPUTS[0]:
        wb.transfer(source, filled, adapt="fit", calibrate={"x": x[:20]}, verify=False, fail_on="never")
        filled = network(target, 1, (size, size, 1))
        source = network("resnet", 0, (size, size, 1))
    start = time.process_time()
    wb.transfer(source, filled, adapt="fit", calibrate={"x": x}, verify=False, fail_on="never")
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
