"""ONNX: who reads a value is found once, however many nodes read it and however often that is asked."""

from typing import Any

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.net import Net

READERS = 500


class Counted(tuple[Node, ...]):
    """Nodes that count how often one is looked at."""

    looks = 0

    def __getitem__(self, index: Any) -> Any:
        Counted.looks += 1
        return super().__getitem__(index)


def test_a_value_with_many_readers() -> None:
    ops = ["Relu"] * READERS + ["Shape", "Neg"]
    nodes = Counted(
        Node("", op, "", ("x" if op == "Relu" else "y",), (f"{n}",), {}) for n, op in enumerate(ops)
    )
    consumers = {"x": tuple(range(READERS)), "y": (READERS, READERS + 1), "0": (READERS + 1,)}
    net = Net(nodes, {}, consumers, {}, frozenset(), {}, {}, {}, outputs=("0",))
    assert {net.only_reader("x") for _ in range(READERS)} == {None}
    assert [net.only_reader(value) for value in ("y", "0", "none")] == [READERS + 1, None, None]
    assert 0 < Counted.looks < 2 * READERS
