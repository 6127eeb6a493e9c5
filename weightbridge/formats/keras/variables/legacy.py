"""The legacy layout's variables: one group a layer holds the weights of all that is nested in it."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count

from weightbridge.errors import Corrupt
from weightbridge.formats.hdf5.tree import Group
from weightbridge.formats.keras.architecture.classes import CLASSES, roles
from weightbridge.formats.keras.architecture.flow import Flow, Node
from weightbridge.formats.keras.variables.groups import is_counter
from weightbridge.formats.keras.variables.infer import class_of_group, guess
from weightbridge.formats.keras.variables.legacy_names import Weight, is_seed, weight_of
from weightbridge.formats.keras.variables.stored import Shapes, Stored, Variable
from weightbridge.formats.keras.variables.tensors import tensor_of
from weightbridge.formats.keras.variables.tree import is_custom
from weightbridge.model.tensors import Tensor

TODAY = {
    ("DepthwiseConv", "depthwise_kernel"): "kernel",
    ("Embedding", "kernel"): "embeddings",
    ("RMSNorm", "scale"): "gamma",
}
GATE_BEHIND = re.compile(r"_[ifcozrh]$")
TOP_LEVEL = "top_level_model_weights"


class LegacyStore:
    """The weights of each node, decided once for the whole file; `rest` is what no node has."""

    def __init__(self, group: Group, flow: Flow) -> None:
        self.alone = not flow.nodes
        self.groups: dict[str, list[Weight]] = {}
        self.owned: dict[str, list[Weight]] = {}
        for name in (*listed(group, "layer_names"), TOP_LEVEL):
            if group.group(name):
                self.groups[name] = group_weights(group, name)
        for name, nodes in _nodes_by_top_layer(flow).items():
            weights = self.groups.get(name, [])
            for owner, weight in assigned(nodes, weights):
                self.owned.setdefault(owner, []).append(weight)

    def take(self, node: Node, _: Shapes) -> Stored:
        class_name = node.layer.class_name
        weights = self.owned.get(node.owner, [])
        expected = None if is_custom(node) else roles(class_name, node.layer.config)
        if not expected:
            return grouped(node.layer.name, class_name, weights)
        variables = known_variables(class_name, expected, weights)
        missing = _missing(expected, variables)
        return Stored(class_name=class_name, variables=variables, missing=missing)

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        return tensor_of(layer, variable, trainable)

    def rest(self) -> tuple[Stored, ...]:
        owned = {weight.dataset.path for weights in self.owned.values() for weight in weights}
        layers = []
        for name, weights in self.groups.items():
            left = [weight for weight in weights if weight.dataset.path not in owned]
            if left or (self.alone and name != TOP_LEVEL):
                layers.append(grouped(name, "", left))
        return tuple(layers)


def _missing(expected: Sequence[str], variables: Sequence[Variable]) -> tuple[str, ...]:
    """The roles that no variable has, nor any of its gates (`kernel_i` of Keras 1)."""
    held = {GATE_BEHIND.sub("", variable.role) for variable in variables}
    if held and held.isdisjoint(expected):
        return ()
    return tuple(role for role in expected if role not in held)


def _nodes_by_top_layer(flow: Flow) -> dict[str, list[Node]]:
    """The nodes with weights below each top layer, each owner once."""
    nodes: dict[str, dict[str, Node]] = {}
    for node in flow.nodes:
        if _holds_weights(node):
            nodes.setdefault(node.top, {}).setdefault(node.owner, node)
    return {name: list(owners.values()) for name, owners in nodes.items()}


def group_weights(group: Group, name: str) -> list[Weight]:
    """The weights that a layer's group lists. Raises Corrupt where one is not there."""
    place = group.group(name)
    weights = []
    for weight in listed(place, "weight_names"):
        dataset = place.dataset(weight) if place else None
        if dataset is None:
            raise Corrupt(
                "a weight is listed that the file does not hold",
                where=f"{group.path}/{name}/{weight}",
                fix="Save the model again",
            )
        if not is_seed(weight) and not is_counter(dataset):
            weights.append(weight_of(name, weight, dataset))
    return weights


def listed(group: Group | None, name: str) -> list[str]:
    """An attribute that is a list of names; long ones are split into name0, name1, ..."""
    if group is None:
        return []
    names = group.attributes.get(name)
    if names is None:
        names = []
        for i in count():
            part = group.attributes.get(f"{name}{i}")
            if not isinstance(part, list):
                break
            names += part
    return [str(value) for value in names] if isinstance(names, list) else []


def assigned(nodes: Sequence[Node], weights: Sequence[Weight]) -> list[tuple[str, Weight]]:
    """(owner, weight) for the weights of one top layer: by name, else role by role in order."""
    pairs = []
    unnamed = []
    for weight in weights:
        owner = nodes[0].owner if len(nodes) == 1 else _named(nodes, weight)
        if owner is None:
            unnamed.append(weight)
        else:
            pairs.append((owner, weight))
    taken = {(owner, weight.role) for owner, weight in pairs}
    return [*pairs, *_in_order(nodes, unnamed, taken)]


def _in_order(
    nodes: Sequence[Node], weights: Sequence[Weight], taken: set[tuple[str, str]]
) -> Iterator[tuple[str, Weight]]:
    """Each weight goes to the first node that still lacks its role."""
    for weight in weights:
        role = weight.role
        free = (node.owner for node in nodes if (node.owner, role) not in taken and _expects(node, role))
        owner = next(free, None)
        if owner is not None:
            taken.add((owner, role))
            yield owner, weight


def _named(nodes: Sequence[Node], weight: Weight) -> str | None:
    """The node whose name stands in the weight's.

    Of several it is the one with most of its path there, then the one with the longest name.
    """
    scope = f"/{'/'.join(weight.scope)}/"
    candidates = []
    for node in nodes:
        name = node.layer.name
        is_prefix = not weight.scope and weight.last.startswith(f"{name}_")
        if is_prefix or f"/{name}/" in scope:
            shared = sum(f"/{part}/" in scope for part in node.owner.split("/"))
            candidates.append((shared, scope.rfind(f"/{name}/"), len(name), node.owner))
    return max(candidates)[-1] if candidates else None


def _expects(node: Node, role: str) -> bool:
    class_name = node.layer.class_name
    expected = None if is_custom(node) else roles(class_name, node.layer.config)
    return expected is None or _today(class_name, role) in expected


def _holds_weights(node: Node) -> bool:
    if node.op or node.layer.kind == "operation":
        return False
    if is_custom(node):
        return True
    class_name = node.layer.class_name
    return bool(roles(class_name, node.layer.config)) or CLASSES[class_name].op == "Attention"


def known_variables(
    class_name: str, expected: tuple[str, ...], weights: Sequence[Weight]
) -> tuple[Variable, ...]:
    """The variables of a class of Keras's own, in its canonical order."""
    known = [_today(class_name, weight.role) for weight in weights]
    if len(known) == len(expected) and set(known).isdisjoint(expected):
        known = list(expected)
    variables = []
    for weight, role in zip(weights, known, strict=True):
        variables.append(Variable(weight.last, role, weight.dataset))
    order = {role: i for i, role in enumerate(expected)}
    variables.sort(key=lambda variable: order.get(variable.role, len(order)))
    return tuple(variables)


def _today(class_name: str, role: str) -> str:
    """A role in the terms of the class: older Keras calls some kernels otherwise."""
    op = CLASSES[class_name].op if class_name in CLASSES else ""
    return TODAY.get((op, role), role)


def grouped(name: str, class_name: str, weights: Sequence[Weight]) -> Stored:
    """A layer whose inside is told by the names of its weights alone: sub-layers by scope."""
    scopes: dict[tuple[str, ...], list[Weight]] = {}
    for weight, scope in zip(weights, _scopes(name, weights), strict=True):
        scopes.setdefault(scope, []).append(weight)
    own = _guessed(name, "", scopes.pop((), []))
    parts = tuple(_guessed("/".join(scope), name, inside) for scope, inside in scopes.items())
    told = class_name or own.class_name
    if not told and not parts:
        told = class_of_group(name)
    return replace(own, name=name, class_name=told, parts=parts)


def _scopes(name: str, weights: Sequence[Weight]) -> list[tuple[str, ...]]:
    """The sub-layer of each weight: its scope, and what tells several layers in one scope apart."""
    parts = map(_part_by(name, weights), weights)
    return [
        (*weight.scope, part) if part else weight.scope for weight, part in zip(weights, parts, strict=True)
    ]


def _part_by(name: str, weights: Sequence[Weight]) -> Callable[[Weight], str]:
    """What names the layer of a weight within its scope, "" where the scope is one layer."""
    holders = {weight.holder for weight in weights} - {""}
    if len(holders) > 1:
        return lambda weight: "" if weight.holder == name else weight.holder
    if _is_repeated((weight.scope, weight.last) for weight in weights):
        return _folder  # what looks like a cell is a layer: `forward_cell`
    if _is_repeated((weight.scope, weight.role) for weight in weights):
        return lambda weight: weight.number  # `kernel`, `bias`, `kernel_1`, `bias_1`
    return lambda weight: ""


def _is_repeated(names: Iterable[Hashable]) -> bool:
    return max(Counter(names).values(), default=0) > 1


def _folder(weight: Weight) -> str:
    """The group in which a weight lies."""
    return weight.dataset.path.split("/")[-2]


def _guessed(name: str, above: str, weights: Sequence[Weight]) -> Stored:
    given_roles = _distinct(weights)
    shapes = tuple(weight.dataset.shape for weight in weights)
    layer = guess(given_roles, shapes, f"{above}/{name}".lower())
    variables = tuple(
        Variable(weight.last, _today(layer.class_name, role), weight.dataset)
        for weight, role in zip(weights, layer.roles, strict=True)
    )
    return Stored(name, layer.class_name, variables)


def _distinct(weights: Sequence[Weight]) -> tuple[str, ...]:
    """The role of each weight; a role that several share says nothing, and the whole name stands for it."""
    counts = Counter(weight.role for weight in weights)
    return tuple(weight.role if counts[weight.role] == 1 else weight.last for weight in weights)
