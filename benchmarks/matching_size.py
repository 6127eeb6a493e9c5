"""Processor time of matching two residual networks of 1,000 and 10,000 layers in memory and of planning,
start-up left out.
"""

import statistics
import time
from types import MappingProxyType

from measuring import Row, finish

from weightbridge.boundary.garbage import collect_seldom
from weightbridge.boundary.options import Options
from weightbridge.matching.match import match
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.planning.make import make_plan

SIZES = (1_000, 10_000)
ROUNDS = 3
WIDTHS = (64, 128, 256, 512)
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def unread() -> Array:
    raise AssertionError("matching read a weight")


def tensor(layer: str, role: str, *shape: int) -> Tensor:
    return Tensor(f"{layer}/{role}", role, shape, "float32", f"{layer}/{role}", unread)


def conv(name: str, channels: int, filters: int) -> Layer:
    attributes = {
        "filters": filters,
        "kernel_size": (3, 3),
        "strides": (1, 1),
        "groups": 1,
        "use_bias": False,
        "activation": "linear",
    }
    return Layer(
        name,
        "Conv",
        "Conv2D",
        MappingProxyType(attributes),
        (tensor(name, "kernel", 3, 3, channels, filters),),
    )


def norm(name: str, width: int) -> Layer:
    return Layer(
        name,
        "BatchNorm",
        "BatchNormalization",
        MappingProxyType({"epsilon": 1e-3}),
        tuple(tensor(name, role, width) for role in NORM),
    )


def network(size: int, name: str, extra: int | None = None) -> LayerGraph:
    """A chain of residual blocks of five layers, their widths growing in four stages.

    `extra` is a block that stands there twice.
    """
    layers = [Layer(name.format(block=0, part="image", i=0), "Input")]
    edges = []
    blocks = size // 5
    order = sorted([*range(blocks), *([] if extra is None else [extra])])
    channels, last = 3, layers[0].name
    for i, block in enumerate(order):
        width = WIDTHS[block * len(WIDTHS) // blocks]
        names = [
            name.format(block=i + 1, part=part, i=5 * i + k)
            for k, part in enumerate(("conv1", "bn1", "conv2", "bn2", "add"))
        ]
        layers += [
            conv(names[0], channels, width),
            norm(names[1], width),
            conv(names[2], width, width),
            norm(names[3], width),
        ]
        layers.append(Layer(names[4], "Add"))
        edges += [Edge(a, b) for a, b in zip((last, *names[:4]), names, strict=True)]
        edges.append(Edge(last, names[4], 1))
        channels, last = width, names[4]
    path = name.replace("{", "").replace("}", "")
    return LayerGraph(
        path,
        "keras-zip",
        "keras",
        layers=tuple(layers),
        edges=tuple(edges),
        has_flow=True,
        inputs=(layers[0].name,),
        outputs=(last,),
    )


CASES = (
    ("the same names", "block{block}_{part}", "block{block}_{part}", False),
    ("another prefix and scheme", "stage/unit{block}/{part}", "encoder_block_{block}_{part}", False),
    ("no name in common", "layer_{i}", "node{i}x", False),
    ("no name in common, a block inserted", "layer_{i}", "node{i}x", True),
)


def seconds(size: int, source: str, target: str, inserted: bool) -> float:
    """Of one matching and the plan that follows from it."""
    pair = network(size, source), network(size, target, size // 10 if inserted else None)
    start = time.process_time()
    matching = match(*pair, Options())
    make_plan(*pair, matching, Options())
    spent = time.process_time() - start
    assert len(matching.matches) >= 0.9 * len(pair[0].tensors), (
        f"{len(matching.matches)} of {len(pair[0].tensors)} tensors matched"
    )
    return spent


def both(source: str, target: str, inserted: bool) -> tuple[float, float]:
    """Means for the small and the large size.

    In each round ten small ones, five before and five after a large one.

    The clock of a machine goes up and down within a second; both sizes have the same share of it in this way.
    """
    small, large = [], []
    for _ in range(ROUNDS):
        small += [seconds(SIZES[0], source, target, inserted) for _ in range(5)]
        large.append(seconds(SIZES[1], source, target, inserted))
        small += [seconds(SIZES[0], source, target, inserted) for _ in range(5)]
    return statistics.mean(small), statistics.mean(large)


def main() -> None:
    rows = []
    collect_seldom()  # as the command does
    seconds(20, "a{i}", "a{i}", False)  # what is imported late is imported now
    for name, source, target, inserted in CASES:
        small, large = both(source, target, inserted)
        rows += [
            Row(f"{SIZES[0]:,} layers, {name}", f"{small:.2f} s", "1 s allowed", small, 1, False),
            Row(
                f"{SIZES[1]:,} layers, {name}",
                f"{large:.2f} s",
                f"{small:.2f} s for {SIZES[0]:,}",
                large / small,
                12,
                False,
            ),
        ]
    finish("matching and planning of two large graphs", rows, "python benchmarks/matching_size.py")


if __name__ == "__main__":
    main()
