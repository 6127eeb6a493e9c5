"""Matching against the unrelated PyPI package `weightbridge` 0.0.4.

Time at 1,002 and 10,002 tensors, and five cases.

The package goes into a virtual environment of its own, because its import name is the same. Start-up is left
out on both
sides, and processor time is compared: only one of the two can be slowed down by what else the machine does.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGXCPU
from typing import Any

from measuring import Row, finish
from package_cases import Case, cases
from state_dicts import Shapes, graph, keras_state, torch_state

from weightbridge.boundary.garbage import collect_seldom
from weightbridge.boundary.options import Options
from weightbridge.matching.match import match
from weightbridge.model.graph import LayerGraph

PACKAGE = "weightbridge==0.0.4"
BLOCKS = (111, 1_111, 11_111)  # 1,002, 10,002 and 100,002 tensors
FASTER, GROWTH = 40, 13
PATIENCE = 50  # times our own time, then the package is stopped: it is slower than that
STRICT: Mapping[str, Any] = {}
LENIENT: Mapping[str, Any] = {"ignore_unmatched_inputs": True, "ignore_unmatched_outputs": True}
HINTS = [
    ["q_proj", "q_proj"],
    ["k_proj", "k_proj"],
    ["v_proj", "v_proj"],
    ["gate", "gate"],
    ["input_layernorm", "input_layernorm"],
]

THEIRS = """
import contextlib, io, json, resource, sys, time
import numpy as np
from weightbridge import adapt
task = json.load(sys.stdin)
limit = int(time.process_time() + task["patience"]) + 1
resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
source = {name: np.full(shape, i, "float32") for i, (name, shape) in enumerate(task["source"].items())}
target = {name: np.full(shape, -1, "float32") for name, shape in task["target"].items()}
options = task["options"] | {"hints": [tuple(hint) for hint in task["options"].get("hints", [])]}
found, error = {}, ""
start = time.process_time()
with contextlib.redirect_stdout(io.StringIO()):
    try:
        found = adapt(source, target, **options)
    except Exception as problem:
        error = type(problem).__name__
seconds = time.process_time() - start
names = list(source)
came = {name: names[int(value.flat[0])] for name, value in found.items() if value.flat[0] >= 0}
json.dump({"seconds": seconds, "found": came, "error": error}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Theirs:
    """What became of one call of the package; `error` is empty where it returned."""

    seconds: float
    found: Mapping[str, str]
    error: str


def main() -> None:
    collect_seldom()  # as the command does
    ours(
        graph("a", torch_state(2)), graph("b", keras_state(2))
    )  # what is imported and read late is there now
    with tempfile.TemporaryDirectory() as temporary:
        package = Path(sys.argv[1]) if len(sys.argv) > 1 else installed(Path(temporary))
        rows = [*_sizes(), *(row for blocks in BLOCKS[:2] for row in _side_by_side(package, blocks))]
        judged = [
            (case.name, judged_ours(case), *(judged_theirs(package, case, o) for o in (STRICT, LENIENT)))
            for case in cases()
        ]
    print(
        "### five cases, right or wrong\n\n"
        "| case | weightbridge-toolkit | weightbridge 0.0.4 | leftovers ignored |\n|---|---|---|---|"
    )
    print(*(f"| {' | '.join(one)} |" for one in judged), "", sep="\n")
    finish(f"matching of state dicts, against {PACKAGE}", rows, "python benchmarks/matching_package.py")


def installed(folder: Path) -> Path:
    """The Python of a new virtual environment that has the package."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return python


def ours(source: LayerGraph, target: LayerGraph) -> tuple[float, Mapping[str, frozenset[str]]]:
    """Seconds of one matching, and target tensor -> source tensors."""
    start = time.process_time()
    found = match(source, target, Options())
    return time.process_time() - start, {m.target: frozenset(m.sources) for m in found.matches}


def theirs(
    package: Path, source: Shapes, target: Shapes, options: Mapping[str, Any], patience: float
) -> Theirs:
    """One call of the package; stopped where it takes more than `patience` seconds of processor time."""
    task = json.dumps({"source": source, "target": target, "options": options, "patience": patience})
    done = subprocess.run(
        [package, "-I", "-c", THEIRS], input=task, capture_output=True, text=True, check=False
    )
    if -done.returncode in (SIGXCPU, SIGKILL):
        return Theirs(patience, {}, "stopped")
    done.check_returncode()
    return Theirs(**json.loads(done.stdout))


def _sizes() -> list[Row]:
    """PyTorch's names into Keras's: 100,000 tensors against the mean of 10,000, five times before and five
    times after.
    """
    spent: dict[int, list[float]] = {blocks: [] for blocks in BLOCKS[1:]}
    for blocks in (*[BLOCKS[1]] * 5, BLOCKS[2], *[BLOCKS[1]] * 5):
        source, target = torch_state(blocks), keras_state(blocks)
        seconds, found = ours(graph("a", source), graph("b", target))
        right = sum(found.get(t) == frozenset({s}) for s, t in zip(source, target, strict=True))
        assert right == len(target), f"{right} of {len(target)} tensors right"
        spent[blocks].append(seconds)
    small, large = map(statistics.mean, spent.values())
    return [
        Row(
            "100,002 tensors, torch to Keras",
            f"{large:.1f} s",
            f"{small:.1f} s for 10,002",
            large / small,
            GROWTH,
            False,
        )
    ]


def _side_by_side(package: Path, blocks: int) -> list[Row]:
    """What the package does right when it is given hints: another prefix, all else alike.

    And equal names, its best case.
    """
    rows = []
    for name, prefix, hints in (
        ("another prefix, hints given to the package", "net.blocks", HINTS),
        ("equal names", "model.layers", []),
    ):
        source, target = torch_state(blocks), torch_state(blocks, prefix)
        pair = graph("a", source), graph("b", target)
        seconds, found = min((ours(*pair) for _ in range(3)), key=lambda one: one[0])
        assert found == {t: frozenset({s}) for s, t in zip(source, target, strict=True)}, (
            "not all tensors right"
        )
        other = theirs(package, source, target, {"hints": hints}, max(PATIENCE * seconds, 20))
        assert other.error or dict(other.found) == dict(zip(target, source, strict=True)), (
            "the package is wrong"
        )
        said = f"{'more than ' if other.error == 'stopped' else ''}{other.seconds:.1f} s"
        bound = FASTER if blocks == BLOCKS[1] else 1
        rows.append(
            Row(
                f"{len(source):,} tensors, {name}",
                f"{seconds:.2f} s",
                said,
                other.seconds / seconds,
                bound,
                True,
            )
        )
    return rows


def judged_ours(case: Case) -> str:
    _, found = ours(case.source, case.target)
    return _verdict({name: found.get(name, frozenset()) for name in case.truth}, case)


def judged_theirs(package: Path, case: Case, options: Mapping[str, Any]) -> str:
    """Of an exported target it is told the layouts as well."""
    source, target = ({t.name: t.shape for t in side.tensors} for side in (case.source, case.target))
    layouts = {"in_format": "tensorflow", "out_format": "pytorch"} if case.target.framework == "onnx" else {}
    found = theirs(package, source, target, {**options, **layouts}, 120)
    return (
        f"no result ({found.error})"
        if found.error
        else _verdict({t: frozenset({s}) for t, s in found.found.items()}, case)
    )


def _verdict(found: Mapping[str, frozenset[str]], case: Case) -> str:
    right = sum(found.get(name, frozenset()) == given for name, given in case.truth.items())
    return f"{'right' if right == len(case.truth) else '**wrong**'}: {right} of {len(case.truth)} tensors"


if __name__ == "__main__":
    main()
