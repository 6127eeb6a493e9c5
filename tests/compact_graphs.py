"""Models as a report's `graphs` have them, made by hand: known networks with shapes, tensors and strides."""

from collections.abc import Iterable, Sequence
from typing import Any

from report_samples import step

from weightbridge.boundary.options import Options
from weightbridge.plan import Plan, Step, Unused
from weightbridge.report.values import ModelSummary, Report
from weightbridge.report.verdict import judge

ROLES = {
    "Conv": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "BatchNorm": ("gamma", "beta", "moving_mean", "moving_variance"),
    "LayerNorm": ("gamma", "beta"),
    "Embedding": ("embeddings",),
}


class Network:
    """Grows layer by layer; `at` is the last."""

    def __init__(self, grid: Sequence[int] = (224, 224, 3)) -> None:
        self.layers: list[list[Any]] = []
        self.edges: list[list[int]] = []
        self.at = self.add("input", "Input", (), list(grid))

    def add(self, name: str, op: str, inputs: Iterable[int], shape: Sequence[int], stride: int = 1) -> int:
        number = len(self.layers)
        tensors = [f"{name}/{role}" for role in ROLES.get(op, ())]
        self.layers.append([name, op, list(shape), tensors, stride])
        self.edges += [[before, number] for before in inputs]
        self.at = number
        return number

    def conv(self, name: str, width: int, stride: int = 1, after: int | None = None) -> int:
        """With its norm and activation."""
        before = self.at if after is None else after
        height, *_ = self.layers[before][2]
        shape = (height // stride, height // stride, width)
        self.add(name, "Conv", [before], shape, stride)
        self.add(name.replace("conv", "bn"), "BatchNorm", [self.at], shape)
        return self.add(f"{name}_relu", "Activation", [self.at], shape)

    def join(self, name: str, op: str, inputs: Sequence[int], width: int) -> int:
        return self.add(name, op, inputs, (*self.layers[inputs[0]][2][:-1], width))

    def graph(self) -> dict[str, Any]:
        return {"has_flow": True, "layers": self.layers, "edges": sorted(self.edges)}


def resnet(*stages: int) -> dict[str, Any]:
    network = Network()
    network.conv("conv1_conv", 64, 2)
    network.add("pool1", "Pool", [network.at], (56, 56, 64), 2)
    for number, (count, width) in enumerate(zip(stages, (64, 128, 256, 512), strict=False), 2):
        for block in range(1, count + 1):
            name, stride = f"conv{number}_block{block}", 2 if block == 1 and number > 2 else 1
            start = network.at
            short = network.conv(f"{name}_0_conv", 4 * width, stride, start) if block == 1 else start
            network.conv(f"{name}_1_conv", width, stride, start)
            network.conv(f"{name}_2_conv", width)
            end = network.conv(f"{name}_3_conv", 4 * width)
            network.join(f"{name}_add", "Add", [short, end], 4 * width)
    head(network)
    return network.graph()


def inception(modules: int) -> dict[str, Any]:
    network = Network((299, 299, 3))
    for number, stride in enumerate((2, 1, 1, 2, 1)):
        network.conv(f"conv2d_{number}", 32, stride)
    number = 5
    for module in range(modules):
        start, ends = network.at, []
        stride = 2 if module in (modules // 3, 2 * modules // 3) else 1
        for depth in (1, 2, 3):
            at = start
            for level in range(depth):
                at = network.conv(f"conv2d_{number}", 64, stride if level == depth - 1 else 1, at)
                number += 1
            ends.append(at)
        network.join(f"mixed{module}", "Concat", ends, 192)
    head(network)
    return network.graph()


def bert(layers: int, width: int = 1024) -> dict[str, Any]:
    network = Network((128,))
    mask = network.add("mask", "Input", (), (128,))
    shape = (128, width)
    network.add("embeddings/word", "Embedding", [0], shape)
    network.add("embeddings/norm", "LayerNorm", [network.at], shape)
    for number in range(layers):
        name, start = f"encoder/layer_{number}", network.at
        parts = [network.add(f"{name}/attention/{part}", "Dense", [start], shape) for part in ("q", "k", "v")]
        network.add(f"{name}/attention/mix", "Attention", [*parts, mask], shape)
        network.add(f"{name}/attention/out", "Dense", [network.at], shape)
        network.add(f"{name}/attention/add", "Add", [start, network.at], shape)
        middle = network.add(f"{name}/attention/norm", "LayerNorm", [network.at], shape)
        network.add(f"{name}/mlp/up", "Dense", [middle], (128, 4 * width))
        network.add(f"{name}/mlp/down", "Dense", [network.at], shape)
        network.add(f"{name}/add", "Add", [middle, network.at], shape)
        network.add(f"{name}/norm", "LayerNorm", [network.at], shape)
    network.add("pooler", "Dense", [network.at], (width,))
    return network.graph()


def unet(depth: int) -> dict[str, Any]:
    network = Network((128, 128, 3))
    skipped = []
    for level in range(depth):
        network.conv(f"down{level}_conv1", 32 << level)
        skipped.append(network.conv(f"down{level}_conv2", 32 << level))
        grid = 128 >> (level + 1)
        network.add(f"pool{level}", "Pool", [network.at], (grid, grid, 32 << level), 2)
    network.conv("middle_conv", 32 << depth)
    for level in reversed(range(depth)):
        grid = 128 >> level
        up = network.add(f"up{level}", "Resize", [network.at], (grid, grid, 64 << level), 0.5)  # type: ignore[arg-type]
        network.join(f"join{level}", "Concat", [up, skipped[level]], 96 << level)
        network.conv(f"up{level}_conv1", 32 << level)
        network.conv(f"up{level}_conv2", 32 << level)
    return network.graph()


def state_dict(graph: dict[str, Any]) -> dict[str, Any]:
    """The same layers as a file without data flow has them, by name."""
    held = sorted(layer for layer in graph["layers"] if layer[3])
    layers = [[name.replace("/", "."), op, None, [t.replace("/", ".") for t in tensors], 1]
              for name, op, _, tensors, _ in held]  # fmt: skip
    return {"has_flow": False, "layers": layers, "edges": []}


def head(network: Network) -> None:
    width = network.layers[network.at][2][-1]
    network.add("avg_pool", "GlobalPool", [network.at], (width,))
    network.add("predictions", "Dense", [network.at], (1000,))


def tensors(graph: dict[str, Any]) -> list[str]:
    return [name for layer in graph["layers"] for name in layer[3]]


def report(source: dict[str, Any], target: dict[str, Any], command: str = "check", **changed: Any) -> Report:
    """Tensors that have the same name are copied; others start from those about as deep."""
    same = {name.replace(".", "/"): name for name in tensors(source)}
    by_role: dict[str, list[str]] = {}
    for name in same:
        by_role.setdefault(name.rpartition("/")[2], []).append(name)
    names = tensors(target)
    steps = tuple(_step(name, i / len(names), same, by_role) for i, name in enumerate(names))
    used = {name for one in steps for name in one.sources}
    unused = tuple(Unused(name, "unexplained") for name in tensors(source) if name not in used)
    sides = [ModelSummary(f"{side}.keras", "keras-zip", "keras 3", "ab", None, len(graph["layers"]), 1, 8)
             for side, graph in (("source", source), ("target", target))]  # fmt: skip
    made = Report(command, "pass", *sides, Plan(steps, unused), graphs={"source": source, "target": target})
    return judge(made, Options(**changed))


def _step(name: str, depth: float, same: dict[str, str], by_role: dict[str, list[str]]) -> Step:
    key = name.replace(".", "/")
    if key in same:
        return step(name, same[key])
    alike = by_role.get(key.rpartition("/")[2], [])
    if not alike:
        return step(name, kind="fresh")
    return step(name, same[alike[int(depth * len(alike))]], kind="adapt", evidence=("stage",))
