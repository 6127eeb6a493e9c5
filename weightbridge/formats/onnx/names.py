"""Names of layers, from what exporters leave of the original ones.

Names of initializers, else of nodes.
"""

import re
from collections.abc import Container, Iterable, Sequence
from itertools import takewhile

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.model.vocabulary import COPIES

# Scopes that TensorFlow wraps around a whole model
CALLS = ("StatefulPartitionedCall", "PartitionedCall", "ConstantFolding")
STEPS = re.compile(  # scopes inside a layer: TensorFlow's operations, in capitals or of these names
    r"([A-Z]\w*|batchnorm|convolution|conv_transpose|separable_conv2d|depthwise|moments|einsum"
    r"|strided_slice|while|split|add|mul|sub|transpose"
    r"|truediv|zeros|packed|kernel|bias|gamma|beta|\w+_cell)(_\d+)?$"
)
WEIGHTED = frozenset({"Conv2D", "depthwise", "convolution", "conv_transpose", "MatMul"})
CELL = re.compile(r"\w+_cell(_\d+)?$")

# Layers that exporters put in take no layer's name
PUT_IN = COPIES | {"Permute", "Repeat", "Reshape", "Slice"}


@dataclass(frozen=True, slots=True)
class Scheme:
    """How names are written in one file.

    has_suffix: each scope ends in `_1`, which TensorFlow adds when it traces again.
    root: the model's own scope.
    """

    has_suffix: bool
    root: str


def layer_names(drafts: Sequence[Draft], nodes: Sequence[Node]) -> list[str]:
    """One unique name per draft, those with weights choosing first."""
    node_names = [node.name for node in nodes]
    tensor_names = [slot.constant.name for draft in drafts for slot in draft.slots]
    scheme = _scheme(node_names + tensor_names)
    names: dict[int, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    order = sorted(range(len(drafts)), key=lambda n: (drafts[n].op != "Input", not drafts[n].slots, n))
    for n in order:
        candidates = _candidates(drafts[n], nodes, scheme)
        name = next((candidate for candidate in candidates if candidate and candidate not in taken), "")
        names[n] = name or _numbered(drafts[n].class_name.split("+")[-1], taken, counts)
        taken.add(names[n])
    return [names[n] for n in range(len(drafts))]


def _numbered(base: str, taken: Container[str], counts: dict[str, int]) -> str:
    """The class's name with the next number that is free."""
    name = ""
    while not name or name in taken:
        counts[base] = counts.get(base, -1) + 1
        name = f"{base}_{counts[base]}"
    return name


def _candidates(draft: Draft, nodes: Sequence[Node], scheme: Scheme) -> Iterable[str]:
    own = [nodes[i].name for i in draft.nodes]
    tensors = [s.constant.name for s in draft.slots]
    if draft.op == "Input":
        yield draft.shown
    if draft.op in PUT_IN and not tensors:
        yield from (_whole(name, scheme) for name in own)
    named = (*tensors[:1], *own[:1], draft.hint, *tensors[1:])
    yield from (_scope(_of_weights(name) if tensors else name, scheme) for name in named)
    yield from (
        name.partition("[")[0].removesuffix("_weight") for name in tensors if name.endswith("]")
    )  # a run of a tensor's rows
    yield from (_whole(name, scheme) for name in own)


def _of_weights(name: str) -> str:
    """Of several fused operations' names (`bn/FusedBatchNormV3;conv/Conv2D`) that of the weighted one."""
    return next((part for part in name.split(";") if part.rpartition("/")[2] in WEIGHTED), name)


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
    return "/".join(_suffixed_layer(parts) if scheme.has_suffix else _layer(parts))


def _suffixed_layer(parts: list[str]) -> list[str]:
    """The scopes of a layer, where those that TensorFlow traced again end in `_1`."""
    scopes = list(takewhile(lambda part: part.endswith("_1"), parts))
    if len(scopes) > 1 and CELL.match(scopes[-1]):
        scopes.pop()
    return [scope.removesuffix("_1") for scope in scopes]


def _layer(parts: list[str]) -> list[str]:
    """The scopes of a layer, without those inside it."""
    end = len(parts)
    while end > 1 and STEPS.match(parts[end - 1]):
        end -= 1
    return parts[:end]


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
    plain = Scheme(False, "")
    scoped = [name.partition(";")[0] for name in names if "/" in name and not name.startswith("/")]
    inside = [_inside(name.split("/"), plain) for name in scoped]
    paths = [path for path in inside if len(path) > 2 and "_frozen_" not in path[0]]
    if not paths:
        return plain
    suffixed = sum(path[0].endswith("_1") and path[1].endswith("_1") for path in paths)
    return Scheme(suffixed > 0.9 * len(paths), _root(paths))


def _root(paths: Sequence[Sequence[str]]) -> str:
    """The scope that all paths begin with, where layers' scopes follow it; "" for none."""
    roots = {path[0] for path in paths}
    has_layers = any(not STEPS.match(path[1]) for path in paths)
    return roots.pop() if len(roots) == 1 and has_layers else ""
