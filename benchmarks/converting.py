"""Converters beside each other: the same models by each, judged by a process that knows only the file.

    python benchmarks/converting.py [--folder WORK [--python TOOL=PATH ...] [FILE ...]]

Every tool, and torch, which makes models, runs in an environment of its own: the one that is told, or one
that is made in WORK. Seconds are of the processor and of whole processes, as multiples of weightbridge's; no
tool verifies what it wrote. Results go into a record, which the table is printed from; what stands there is
not measured again.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RECORD = HERE / "converting.json"
OURS = "weightbridge"
TOOLS = (OURS, "onnx2keras", "onnx2tf", "tf2onnx", "Keras", "tf_keras")
PACKAGES = {
    "onnx2keras": ("onnx2keras==0.0.25", "tensorflow-cpu"),
    "onnx2tf": ("onnx2tf",),
    "tf2onnx": ("tf2onnx==1.17.0", "keras", "tensorflow-cpu"),
    "Keras": ("keras", "tensorflow-cpu", "tf2onnx"),
    "tf_keras": ("tf_keras",),
    "torch": ("torch", "onnx", "onnxscript"),
}
MOST_FLOORS = 10.0
MOST_SECONDS = 600
LONGEST = 200  # characters of a reason
KERAS_SAYS = "Exception encountered: "
Result = dict[str, Any]  # as the record has it
FROM_ONNX, FROM_OLD, TO_ONNX = (
    (OURS, "onnx2keras", "onnx2tf"),
    (OURS, "Keras", "tf_keras"),
    (OURS, "tf2onnx", "Keras"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """file: of the source. kind: who makes it. suffix: of the output. tools: that have this direction."""

    name: str
    file: str
    kind: str
    suffix: str
    tools: tuple[str, ...]


def _of_torch(name: str, file: str) -> tuple[Case, ...]:
    return tuple(
        Case(f"{name}, by {exporter}", f"{file}_{exporter.lower()}.onnx", "torch", ".keras", FROM_ONNX)
        for exporter in ("TorchScript", "dynamo")
    )


CASES = (
    Case("Keras 2 MobileNetV2, `.h5`", "keras2_mobilenet.h5", "tf_keras", ".keras", FROM_OLD),
    Case("Keras 2 LSTMs with hard_sigmoid, `.h5`", "keras2_lstm.h5", "tf_keras", ".keras", FROM_OLD),
    Case("Keras 1 LSTM, `.h5`", "keras1_lstm.h5", "keras", ".keras", FROM_OLD),
    *_of_torch("torch ResNet", "resnet"),
    *_of_torch("torch MobileNetV2", "mobilenet"),
    *_of_torch("torch transformer, exact GELU", "transformer"),
    *_of_torch("torch U-Net", "unet"),
    *_of_torch("torch BiLSTM", "bilstm"),
    Case("TFLite MobileNetV2", "tflite_mobilenet.tflite", "keras", ".keras", (OURS,)),
    Case("Keras transformer, exact GELU, to ONNX", "gelu.keras", "keras", ".onnx", TO_ONNX),
    Case("Keras GRU seq2seq, to ONNX", "seq2seq.keras", "keras", ".onnx", TO_ONNX),
    Case("Keras EfficientNetB0, to ONNX", "efficientnet.keras", "keras", ".onnx", TO_ONNX),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, help="where models and environments go; without it, the record is shown"
    )
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--python", action="append", default=[], metavar="TOOL=PATH")
    parser.add_argument("files", nargs="*", help="of sources; all of them where none is given")
    given = parser.parse_args()
    if given.folder:
        told = dict(one.split("=", 1) for one in given.python)
        measure([case for case in CASES if case.file in given.files or not given.files], told, given)
    print(shown(json.loads(given.record.read_text())))


def measure(cases: Iterable[Case], told: Mapping[str, str], given: argparse.Namespace) -> None:
    """Each result goes into the record at once; what stands there is not measured again."""
    done = json.loads(given.record.read_text()) if given.record.exists() else {}
    environments = environments_of(told, given.folder)
    make_sources(cases, environments, given.folder)
    for case in cases:
        for tool in case.tools:
            own = done.setdefault(case.file, {})
            if tool not in own:
                own[tool] = measured(case, tool, environments[tool], given.folder)
                given.record.write_text(json.dumps(done, indent=1) + "\n")


def environments_of(told: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The Python of each tool, or why there is none."""
    names = {*TOOLS, "torch", "keras"}
    return {name: told.get(name) or made(name, folder / "environments" / name) for name in names}


def made(name: str, folder: Path) -> str:
    packages = PACKAGES.get(name)
    if packages is None:  # weightbridge, and Keras with TensorFlow, are where this script runs
        return sys.executable
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *packages]
        done = subprocess.run(install, check=False, capture_output=True, text=True)
        if done.returncode:
            return reason(done.stderr)
    return str(python)


def make_sources(cases: Iterable[Case], environments: Mapping[str, str], folder: Path) -> None:
    """By kind, where one is missing."""
    for kind in sorted({case.kind for case in cases if not (folder / f"{case.file}.npz").exists()}):
        command = [environments[kind], str(HERE / "converting_sources.py"), kind, str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet())


def measured(case: Case, tool: str, python: str, folder: Path) -> Result:
    if not Path(python).exists():
        return {"stage": "install", "failed": python}
    output = folder / f"{Path(case.file).stem}.{tool}{case.suffix}"
    saved_model = Path(f"{output}.saved_model")  # which one of them writes too
    subprocess.run(["rm", "-rf", str(output), str(saved_model)], check=True)
    command = [python, str(HERE / "converting_tools.py"), tool, str(folder / case.file), str(output)]
    seconds, said = ran(command)
    expected = folder / f"{case.file}.npz"
    result = judged(output, expected) if output.exists() else {"stage": "convert", "failed": reason(said)}
    if "failed" in result and saved_model.exists():
        result = {**judged(saved_model, expected), "instead": "a SavedModel"}
    result |= {"failed": result["failed"].replace(f"{folder}/", "")} if "failed" in result else {}
    return {**result, "seconds": round(seconds, 2)}


def ran(command: list[str]) -> tuple[float, str]:
    """Seconds of the processor, and what it said."""
    before = os.times()
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env=quiet(),
            timeout=MOST_SECONDS,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return MOST_SECONDS, f"Timeout: not done after {MOST_SECONDS} seconds"
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, done.stderr if done.stderr.strip() else done.stdout


def judged(output: Path, expected: Path) -> Result:
    command = [sys.executable, str(HERE / "converting_judged.py"), str(output), str(expected)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=quiet(), errors="replace")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: Result = json.loads(lines[-1]) if lines else {"failed": done.stderr}
    return {"stage": "load", "failed": reason(found["failed"])} if "failed" in found else found


def reason(said: str) -> str:
    """The line that names the error; where Keras says the reason further down, that behind its name."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Timeout): ", line)]
    further = [line.removeprefix(KERAS_SAYS) for line in lines if line.startswith(KERAS_SAYS)]
    told = (named or lines or ["no reason given"])[-1]
    return (f"{kind_of(told)}: {further[-1]}" if named and further else told)[:LONGEST]


def kind_of(told: str) -> str:
    return told.partition(":")[0].rpartition(".")[2]


def shown(record: Mapping[str, Mapping[str, Result]]) -> str:
    """The table, and below it why a tool has no result."""
    table = [line("", TOOLS), f"|{'---|' * (len(TOOLS) + 1)}"]
    reasons = []
    for case in CASES:
        results = record.get(case.file, {})
        table.append(line(case.name, [cell(case, tool, results) for tool in TOOLS]))
        for tool, result in results.items():
            if "failed" in result:
                reasons.append(f"- {case.name}, {tool}: {result['failed'].replace('|', '/')}")
    return "\n".join([*table, "", *reasons])


def line(name: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def cell(case: Case, tool: str, results: Mapping[str, Result]) -> str:
    """The error, what can be trained, and the time: ours in seconds, the others' as multiples of it."""
    if tool not in case.tools:
        return "-"
    result = results.get(tool)
    if result is None:
        return "not measured"
    if "failed" in result:
        kind = kind_of(result["failed"])
        return {"install": "not installed", "convert": f"no: {kind}", "load": f"its file fails: {kind}"}[
            result["stage"]
        ]
    said = [worth(result)]
    if tool == OURS:
        said.append(f"{result['seconds']:.1f} s")
    elif result["error"] <= MOST_FLOORS and "error" in results.get(OURS, {}):
        said.append(f"{result['seconds'] / results[OURS]['seconds']:.0f} x")
    form = f"{result['instead']}: " if "instead" in result else ""
    return form + ", ".join(said)


def worth(found: Result) -> str:
    if found["error"] > MOST_FLOORS:
        return f"WRONG: {found['error']:.0e} floors"
    error = f"{found['error']:.1f} floors"
    if "weights" not in found:
        return error
    if not found["weights"]:
        return f"{error}, nothing to train"
    is_whole = found["trained"] == found["weights"]
    return (
        f"{error}, trains" if is_whole else f"{error}, {found['trained']} of {found['weights']} weights train"
    )


def quiet() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"}


if __name__ == "__main__":
    main()
