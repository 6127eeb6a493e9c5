"""Reports, graphs and tiny Keras files that several tests share; no framework makes them."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import finding
from weightbridge.plan import Plan, Step, Unused
from weightbridge.report.values import ModelSummary, Report
from weightbridge.report.verdict import judge
from weightbridge.report.verification import Verification

# Terminal codes, a bidi override, a line separator, NUL, a lone surrogate, and what Markdown, HTML, XML and
# DOT act on.
HOSTILE = (
    "\x1b[31mred\x1b[0m\u202egnp.\u2028\x00\udc80\x7f\n"
    '| `x` <script>alert(1)</script> & "quoted" ]]> @user \\N [a](http://b) -->'
)


def step(target: str, *sources: str, kind: str = "copy", **changed: Any) -> Step:
    contract = {
        "copy": "bitwise",
        "transform": "bitwise",
        "adapt": "lossy",
        "fresh": "fresh",
        "keep": "untouched",
    }[kind]
    return Step(
        **{
            "target": target,
            "sources": sources,
            "kind": kind,
            "contract": contract,
            "shape": (4, 2),
            "size": 8,
            **changed,
        }
    )


def blocks() -> tuple[Step, ...]:
    """Two stages of blocks as torch and Keras name them, the last block of another shape."""
    shapes = {
        (stage, block): (3, 3, 64, 64) if (stage, block) != (3, 4) else (3, 3, 64, 32)
        for stage in (2, 3)
        for block in (1, 2, 3, 4)
    }
    return tuple(
        step(
            f"conv{stage}_block{block}_conv/kernel",
            f"layer{stage - 1}.{block - 1}.conv.weight",
            kind="transform",
            transform="o i h w -> h w i o",
            shape=shape,
            size=int(np.prod(shape)),
            confidence=0.98,
            evidence=("name", "shape"),
        )
        for (stage, block), shape in shapes.items()
    )


def sample(command: str = "transfer") -> Report:
    """A report with everything in it."""
    steps = (
        *blocks(),
        step("bn/gamma", "bn.weight", size=4, shape=(4,)),
        step("bn/beta", "bn.bias", size=4, shape=(4,)),
        step("head/kernel", "fc.weight", kind="adapt", transform="select", cost="7 of 10 classes kept",
            energy_kept=0.7, confidence=0.5,
             runners_up=("aux.weight",)),
        step("head/bias", kind="fresh"),
        step("counter", kind="keep", size=1, shape=()),
    )  # fmt: skip
    unused = (Unused("optimizer/m", "optimizer"), Unused("aux.weight", "unexplained"))
    findings = (
        finding(
            "WB203",
            "nothing in the target uses it",
            source="aux.weight",
            fix="Declare it with --unused 'aux*'",
        ),
        finding(
            "WB403",
            "epsilon of bn1 is 1e-05 in the source and 0.001 in the target",
            source="bn1",
            target="bn1",
        ),
        finding(
            "WB403",
            "epsilon of bn2 is 1e-05 in the source and 0.001 in the target",
            source="bn2",
            target="bn2",
        ),
        finding("WB303", "7 of 10 classes are known on both sides", target="head/kernel"),
    )
    outputs = (
        {
            "name": "probabilities",
            "probe": "normal",
            "status": "equal",
            "passed": True,
            "ratio": 1.25,
            "limit": 8.0,
        },
    )
    evidence = {
        "floor": "float64",
        "controls": [{"name": "target before transfer", "result": "failed"}],
        "comparisons": 1,
    }
    source = ModelSummary("resnet.onnx", "onnx", "pytorch 2.1", "ab" * 32, "cd" * 32, 12, 13, 300_000)
    target = ModelSummary("target.keras", "keras-zip", "keras 3.15.1", "ef" * 32, None, 14, 13, 276_525)
    report = Report(
        command,
        "pass",
        source,
        target,
        Plan(steps, unused),
        findings,
        Verification("actual", outputs, (), evidence),
    )
    return judge(report, Options())


def hostile() -> Report:
    """Text from a file that would steer a terminal or a page, everywhere that text from a file can stand."""
    name = HOSTILE
    return Report(
        "check",
        "warn",
        ModelSummary(name, "onnx", name, "ab", None, 1, 1, 8),
        plan=Plan(
            (step(name, name, transform=name, cost=name, evidence=(name,), runners_up=(name,)),),
            (Unused(name, "unexplained"),),
        ),
        findings=(finding("WB204", f"{name} fits", source=name, target=name, fix=name),),
        verification=Verification(
            name,
            ({"name": name, "probe": name, "passed": False},),
            ({"source": name},),
            {name: name, "controls": [name]},
        ),
        graph=graph(
            (layer(name, class_name=name, attributes={"activation": name}, tensors=[tensor(name)]),),
            inputs=[name],
        ),
    )


def layer(name: str, op: str = "Conv", **changed: Any) -> dict[str, Any]:
    return {
        "name": name,
        "op": op,
        "class_name": op,
        "attributes": {},
        "output_shape": [None, 8],
        "tensors": [],
        **changed,
    }


def tensor(
    name: str, role: str = "kernel", shape: Sequence[int] = (4, 2), dtype: str = "float32"
) -> dict[str, Any]:
    return {"name": name, "role": role, "shape": list(shape), "dtype": dtype, "trainable": True}


def graph(
    layers: Sequence[Mapping[str, Any]], edges: Sequence[Sequence[Any]] = (), **changed: Any
) -> dict[str, Any]:
    plain = {"framework": "keras", "has_flow": True, "inputs": [], "outputs": [], "excluded": []}
    return {**plain, "layers": list(layers), "edges": [list(edge) for edge in edges], **changed}


def write_keras(path: Path, widths: Sequence[int], names: Sequence[str], seed: int = 0) -> Path:
    """A `.keras` file of Dense layers, one after another; widths: the input's, then each layer's."""
    layers = [_config("InputLayer", "x", {"batch_shape": [None, widths[0]], "dtype": "float32"}, None, None)]
    for before, name, width, inputs in zip(["x", *names], names, widths[1:], widths, strict=False):
        layers.append(
            _config("Dense", name, {"units": width, "activation": "linear", "use_bias": True}, before, inputs)
        )
    config = {
        "name": "model",
        "layers": layers,
        "input_layers": ["x", 0, 0],
        "output_layers": [names[-1], 0, 0],
    }
    whole = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(whole))
        archive.writestr("model.weights.h5", _weights(widths, names, np.random.default_rng(seed)))
    return path


def _config(
    kind: str, name: str, config: Mapping[str, Any], before: str | None, width: int | None
) -> dict[str, Any]:
    origin = {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, width], "dtype": "float32", "keras_history": [before, 0, 0]},
    }
    nodes = [] if before is None else [{"args": [origin], "kwargs": {}}]
    built = {} if width is None else {"build_config": {"input_shape": [None, width]}}
    plain = {
        "module": "keras.layers",
        "class_name": kind,
        "config": {**config, "name": name},
        "registered_name": None,
        **built,
    }
    return {**plain, "name": name, "inbound_nodes": nodes}


def _weights(widths: Sequence[int], names: Sequence[str], random: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("layers/input_layer/vars").attrs["name"] = "x"
        for i, (name, inputs, units) in enumerate(zip(names, widths, widths[1:], strict=False)):
            group = file.create_group(f"layers/dense{f'_{i}' if i else ''}/vars")
            group.attrs["name"] = name
            group["0"] = random.standard_normal((inputs, units)).astype("float32")
            group["1"] = random.standard_normal(units).astype("float32")
        file.create_group("vars")
    return buffer.getvalue()
