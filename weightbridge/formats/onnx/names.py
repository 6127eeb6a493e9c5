"""Names of layers, from what exporters leave of the original ones: names of initializers, else of nodes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weightbridge.formats.onnx.drafts import Draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.model.vocabulary import COPIES

CALLS = (
    "StatefulPartitionedCall",
    "PartitionedCall",
    "ConstantFolding",
)  # scopes that TensorFlow wraps around a whole model
STEPS = re.compile(  # scopes inside a layer: TensorFlow's operations, in capitals or of these names
    r"([A-Z]\w*|batchnorm|convolution|conv_transpose|separable_conv2d|depthwise|moments|einsum|strided_slice|while|split|add|mul|sub|transpose"
    r"|truediv|zeros|packed|kernel|bias|gamma|beta|\w+_cell)(_\d+)?$"
)
CELL = re.compile(r"\w+_cell(_\d+)?$")

# Layers that exporters put in take no layer's name
PUT_IN = COPIES | {"Permute", "Repeat", "Reshape", "Slice"}


@dataclass(frozen=True, slots=True)
class Scheme:
    """How names are written in one file.

    has_suffix: each scope ends in `_1`, which TensorFlow adds when it traces again. root: the model's own
    scope.
    """

    has_suffix: bool
    root: str


def layer_names(drafts: Sequence[Draft], nodes: Sequence[Node]) -> list[str]:
    """One unique name per draft, those with weights choosing first."""
    scheme = _scheme([n.name for n in nodes] + [s.constant.name for d in drafts for s in d.slots])
    names: dict[int, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    order = sorted(range(len(drafts)), key=lambda n: (drafts[n].op != "Input", not drafts[n].slots, n))
    for n in order:
        found = next((c for c in _candidates(drafts[n], nodes, scheme) if c and c not in taken), "")
        while not found or found in taken:
            base = found.rpartition("_")[0] if found in taken else drafts[n].class_name.split("+")[-1]
            counts[base] = counts.get(base, -1) + 1
            found = f"{base}_{counts[base]}"
        names[n] = found
        taken.add(found)
    return [names[n] for n in range(len(drafts))]


def _candidates(draft: Draft, nodes: Sequence[Node], scheme: Scheme) -> Iterable[str]:
    own = [nodes[i].name for i in draft.nodes]
    tensors = [s.constant.name for s in draft.slots]
    if draft.op == "Input":
        yield draft.shown
    if draft.op in PUT_IN and not tensors:
        yield from (_whole(name, scheme) for name in own)
    yield from (_scope(name, scheme) for name in (*tensors[:1], *own[:1], draft.hint, *tensors[1:]))
    yield from (
        name.partition("[")[0].removesuffix("_weight") for name in tensors if name.endswith("]")
    )  # a run of a tensor's rows
    yield from (_whole(name, scheme) for name in own)


def _scope(name: str, scheme: Scheme) -> str:
    """The layer's path in a tensor's or a node's name, "" where the name has none."""
    name = name.partition(";")[0].removesuffix(":0")
    if name.startswith("onnx::"):
        return ""
    if name.startswith("/"):
        return _torch_path(name.strip("/").split("/")[:-1])
    if "/" not in name:
        return name.rpartition(".")[0]
    parts = _inside(name.split("/"), scheme)[:-1]
    if scheme.has_suffix:
        parts = parts[: next((i for i, p in enumerate(parts) if not p.endswith("_1")), len(parts))]
        parts = parts[:-1] if len(parts) > 1 and CELL.match(parts[-1]) else parts
        return "/".join(p.removesuffix("_1") for p in parts)
    while len(parts) > 1 and STEPS.match(parts[-1]):
        parts = parts[:-1]
    return "/".join(parts)


def _whole(name: str, scheme: Scheme) -> str:
    name = name.partition(";")[0].removesuffix(":0")
    if name.startswith("/"):
        *scopes, last = name.strip("/").split("/")
        return "/".join(p for p in (_torch_path(scopes), last) if p)
    parts = _inside(name.split("/"), scheme)
    return "/".join(p.removesuffix("_1") if scheme.has_suffix else p for p in parts)


def _inside(parts: list[str], scheme: Scheme) -> list[str]:
    """Without the scopes that are wrapped around the model, and without its own."""
    while len(parts) > 1 and parts[0].startswith(CALLS):
        parts = parts[1:]
    return parts[1:] if len(parts) > 1 and parts[0] == scheme.root else parts


def _torch_path(scopes: list[str]) -> str:
    """torch names a module in a list by its full path (`layer1/layer1.0/conv`): `layer1.0.conv`."""
    found: list[str] = []
    for scope in scopes:
        if found and scope.startswith(f"{found[-1]}."):
            found[-1] = scope
        else:
            found.append(scope)
    return ".".join(found)


def _scheme(names: Iterable[str]) -> Scheme:
    split = [
        _inside(n.partition(";")[0].split("/"), Scheme(False, ""))
        for n in names
        if "/" in n and not n.startswith("/")
    ]
    paths = [p for p in split if len(p) > 2 and "_frozen_" not in p[0]]
    if not paths:
        return Scheme(False, "")
    roots = {p[0] for p in paths}
    root = next(iter(roots)) if len(roots) == 1 and any(not STEPS.match(p[1]) for p in paths) else ""
    suffixed = sum(p[0].endswith("_1") and p[1].endswith("_1") for p in paths)
    return Scheme(suffixed > 0.9 * len(paths), root)
