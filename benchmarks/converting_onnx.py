"""Keras -> ONNX: every model of keras.applications by the own writer, and ResNet50 by it and by tf2onnx.

Random weights and BatchNorm statistics, small images. Seconds are of the processor, start-up left out on both
sides; errors are in noise floors, as the verified conversion measures them.

    python benchmarks/converting_onnx.py [NAME ...]
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime as ort

import weightbridge as wb

SIZES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71, "NASNetMobile": 96, "NASNetLarge": 96}
SIZE, CLASSES = 64, 10
MOST_FLOORS, MOST_TRANSPOSES, LEAST_RATIO = 4.0, 2, 5.0
SPEED = "ResNet50"
ALONE = "--alone"
NUMBERS = f"{'floors':>7} {'of batch 1, 3':>14} {'Transposes':>10} {'seconds':>8}"
HEAD = f"{'model':20} {'ok':4} {'verdict':12} {NUMBERS}"


@dataclass(frozen=True, slots=True)
class Row:
    """floors: the largest error of the verification; apart: of the largest output, for batches of 1 and 3."""

    name: str
    verdict: str
    floors: float
    apart: float
    transposes: int
    seconds: float

    @property
    def is_kept(self) -> bool:
        is_proven = self.verdict in ("pass", "warn") and self.floors <= MOST_FLOORS
        return is_proven and self.transposes <= MOST_TRANSPOSES

    def __str__(self) -> str:
        ok = "yes" if self.is_kept else "NO"
        numbers = f"{self.floors:7.2f} {self.apart:14.1e} {self.transposes:10} {self.seconds:8.2f}"
        return f"{self.name:20} {ok:4} {self.verdict:12} {numbers}"


def main(names: list[str]) -> int:
    if names[:1] == [ALONE]:
        return alone(names[1])
    known = [name for name in dir(keras.applications) if name[0].isupper()]
    print(HEAD, flush=True)
    chosen = names or known
    kept = sum(apart_from_others(name) for name in chosen)
    with TemporaryDirectory() as folder:
        ratio = speed(Path(folder)) if SPEED in chosen else LEAST_RATIO
    print(f"{kept} of {len(chosen)} within {MOST_FLOORS:g} floors and {MOST_TRANSPOSES} Transposes")
    return 0 if kept == len(chosen) and ratio >= LEAST_RATIO else 1


def apart_from_others(name: str) -> bool:
    """In a process of its own, which gives back the memory of the large ones."""
    command = [sys.executable, __file__, ALONE, name]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith(name)]
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    print(rows[0] if rows else f"{name:20} FAILED: {said[-1]}", flush=True)
    return done.returncode == 0


def alone(name: str) -> int:
    with TemporaryDirectory() as folder:
        row = measured(name, Path(folder))
    print(row, flush=True)
    return 0 if row.is_kept else 1


def measured(name: str, folder: Path) -> Row:
    size = SIZES.get(name, SIZE)
    model = randomised(
        getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=(size, size, 3))
    )
    source, output = folder / "model.keras", folder / "model.onnx"
    model.save(source)
    seconds = timed(lambda: wb.convert(source, output, verify=False, overwrite=True))
    checked = folder / "checked.onnx"
    report = wb.convert(source, checked, overwrite=True, evidence="quick", on_fail="return")
    ratios = [float(one["ratio"]) for one in report.verification.outputs]
    floors = max(ratios, default=float("inf"))
    graph = onnx.load(output).graph
    transposes = sum(node.op_type == "Transpose" for node in graph.node)
    return Row(name, report.verdict, floors, apart(model, output, size), transposes, seconds)


def apart(model: Any, output: Path, size: int) -> float:
    session = ort.InferenceSession(output)
    errors = []
    for batch in (1, 3):
        images = np.random.default_rng(batch).uniform(0, 255, (batch, size, size, 3)).astype("float32")
        expected = np.asarray(model(images, training=False))
        found = session.run(None, {session.get_inputs()[0].name: images})[0]
        errors.append(float(np.abs(found - expected).max() / np.abs(expected).max()))
    return max(errors)


def speed(folder: Path) -> float:
    """How many times faster than tf2onnx the own writer is, of ResNet50 as it is published."""
    import tensorflow as tf
    import tf2onnx

    small = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    model = randomised(getattr(keras.applications, SPEED)(weights=None))
    source, output = folder / "model.keras", folder / "model.onnx"
    for one in (small, model):  # the small one is the start-up
        one.save(source)
        own = timed(lambda: wb.convert(source, output, verify=False, overwrite=True))
        spec = [tf.TensorSpec(one.inputs[0].shape, name="image")]
        function = tf.function(one.call, input_signature=spec)
        theirs = timed(lambda: tf2onnx.convert.from_function(function, spec, output_path=str(output)))  # noqa: B023
    print(f"{SPEED}: {own:.2f} s, tf2onnx {theirs:.2f} s: {theirs / own:.1f} times faster")
    return theirs / own


def timed(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def randomised(model: Any) -> Any:
    """Weights that keep the size of what flows through, and statistics that no BatchNorm starts with."""
    generator = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype == "float32":
            variable.assign(drawn(variable.path, tuple(variable.shape), generator).astype("float32"))
    return model


def drawn(path: str, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
    if "variance" in path:
        return generator.uniform(0.5, 1.5, shape)
    if "gamma" in path:
        return generator.uniform(0.7, 1.3, shape)
    if len(shape) < 2:
        return generator.normal(0, 0.1, shape)
    is_by_channel = "depthwise" in path or "_dw" in path or "dwconv" in path
    fan = np.prod(shape[:2]) if is_by_channel else np.prod(shape[:-1])
    return generator.normal(0, np.sqrt(2 / fan), shape)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
