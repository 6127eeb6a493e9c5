"""The legacy layout's variables: one group a layer holds the weights of all that is nested in it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from weightbridge.errors import Corrupt
from weightbridge.formats.hdf5.tree import Group
from weightbridge.formats.keras.architecture.classes import CLASSES, roles
from weightbridge.formats.keras.architecture.flow import Flow, Node
from weightbridge.formats.keras.variables.infer import class_of_group, guess
from weightbridge.formats.keras.variables.legacy_names import Weight, is_seed, weight_of
from weightbridge.formats.keras.variables.stored import Shapes, Stored, Variable
from weightbridge.formats.keras.variables.tensors import tensor_of
from weightbridge.formats.keras.variables.tree import is_counter, is_custom
from weightbridge.model.tensors import Tensor

TODAY = {
    ("DepthwiseConv", "depthwise_kernel"): "kernel",
    ("Embedding", "kernel"): "embeddings",
    ("RMSNorm", "scale"): "gamma",
}
TOP_LEVEL = "top_level_model_weights"


class LegacyStore:
    """The weights of each node, decided once for the whole file; `rest` is what no node has."""

    def __init__(self, group: Group, flow: Flow) -> None:
        self.groups = {
            name: group_weights(group, name)
            for name in (*listed(group, "layer_names"), TOP_LEVEL)
            if group.group(name)
        }
        self.owned: dict[str, list[Weight]] = {}
        nodes: dict[str, dict[str, Node]] = {}
        for node in flow.nodes:
            if _holds_weights(node):
                nodes.setdefault(node.top, {}).setdefault(node.owner, node)
        for name, found in nodes.items():
            for owner, weight in assigned(list(found.values()), self.groups.get(name, [])):
                self.owned.setdefault(owner, []).append(weight)
        self.alone = not flow.nodes

    def take(self, node: Node, _: Shapes) -> Stored:
        weights = self.owned.get(node.owner, [])
        expected = None if is_custom(node) else roles(node.layer.class_name, node.layer.config)
        if not expected:
            return grouped(node.layer.name, node.layer.class_name, weights)
        variables = known_variables(node.layer.class_name, expected, weights)
        return Stored(
            class_name=node.layer.class_name, variables=variables, missing=() if variables else expected
        )

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        return tensor_of(layer, variable, trainable)

    def rest(self) -> tuple[Stored, ...]:
        owned = {w.dataset.path for weights in self.owned.values() for w in weights}
        found = []
        for name, weights in self.groups.items():
            left = [w for w in weights if w.dataset.path not in owned]
            if left or (self.alone and name != TOP_LEVEL):
                found.append(grouped(name, "", left))
        return tuple(found)


def group_weights(group: Group, name: str) -> list[Weight]:
    """The weights that a layer's group lists. Raises Corrupt where one is not there."""
    place, found = group.group(name), []
    for weight in listed(place, "weight_names"):
        dataset = place.dataset(weight) if place else None
        if dataset is None:
            raise Corrupt(
                "a weight is listed that the file does not hold",
                where=f"{group.path}/{name}/{weight}",
                fix="Save the model again",
            )
        if not is_seed(weight) and not is_counter(dataset):
            found.append(weight_of(name, weight, dataset))
    return found


def listed(group: Group | None, name: str) -> list[str]:
    """An attribute that is a list of names; long ones are split into name0, name1, ..."""
    if group is None:
        return []
    value = group.attributes.get(name)
    if value is None:
        value, i = [], 0
        while isinstance(part := group.attributes.get(f"{name}{i}"), list):
            value, i = value + part, i + 1
    return [str(v) for v in value] if isinstance(value, list) else []


def assigned(nodes: Sequence[Node], weights: Sequence[Weight]) -> Iterable[tuple[str, Weight]]:
    """(owner, weight) for the weights of one top layer: by name, else role by role in order."""
    lost = []
    taken: Counter[tuple[str, str]] = Counter()
    for weight in weights:
        owner = nodes[0].owner if len(nodes) == 1 else _named(nodes, weight)
        if owner is None:
            lost.append(weight)
            continue
        taken[owner, weight.role] += 1
        yield owner, weight
    for weight in lost:
        owner = next(
            (n.owner for n in nodes if not taken[n.owner, weight.role] and _expects(n, weight.role)), None
        )
        if owner is not None:
            taken[owner, weight.role] += 1
            yield owner, weight


def _named(nodes: Sequence[Node], weight: Weight) -> str | None:
    """The node whose name stands in the weight's.

    Of several it is the one with most of its path there, then the one with the longest name.
    """
    scope = f"/{'/'.join(weight.scope)}/"
    found = []
    for node in nodes:
        name = node.layer.name
        if f"/{name}/" in scope or (not weight.scope and weight.last.startswith(f"{name}_")):
            shared = sum(f"/{part}/" in scope for part in node.owner.split("/"))
            found.append((shared, scope.rfind(f"/{name}/"), len(name), node.owner))
    return max(found)[-1] if found else None


def _expects(node: Node, role: str) -> bool:
    expected = None if is_custom(node) else roles(node.layer.class_name, node.layer.config)
    return expected is None or _today(node.layer.class_name, role) in expected


def _holds_weights(node: Node) -> bool:
    if node.op or node.layer.kind == "operation":
        return False
    return (
        is_custom(node)
        or bool(roles(node.layer.class_name, node.layer.config))
        or CLASSES[node.layer.class_name].op == "Attention"
    )


def known_variables(
    class_name: str, expected: tuple[str, ...], weights: Sequence[Weight]
) -> tuple[Variable, ...]:
    """The variables of a class of Keras's own, in its canonical order."""
    found = [Variable(w.last, _today(class_name, w.role), w.dataset) for w in weights]
    if len(found) == len(expected) and not {v.role for v in found} & set(expected):
        found = [replace(v, role=role) for v, role in zip(found, expected, strict=True)]
    order: Mapping[str, int] = {role: i for i, role in enumerate(expected)}
    return tuple(sorted(found, key=lambda v: order.get(v.role, len(order))))


def _today(class_name: str, role: str) -> str:
    """A role in the terms of the class: older Keras calls some kernels otherwise."""
    op = CLASSES[class_name].op if class_name in CLASSES else ""
    return TODAY.get((op, role), role)


def grouped(name: str, class_name: str, weights: Sequence[Weight]) -> Stored:
    """A layer whose inside is told by the names of its weights alone: sub-layers by scope."""
    scopes: dict[tuple[str, ...], list[Weight]] = {}
    for weight in weights:
        scopes.setdefault(weight.scope, []).append(weight)
    parts = tuple(_guessed("/".join(scope), name, found) for scope, found in scopes.items() if scope)
    own = _guessed(name, "", scopes.get((), []))
    return replace(
        own,
        name=name,
        class_name=class_name or own.class_name or ("" if parts else class_of_group(name)),
        parts=parts,
    )


def _guessed(name: str, above: str, weights: Sequence[Weight]) -> Stored:
    found = guess(
        tuple(w.role for w in weights), tuple(w.dataset.shape for w in weights), f"{above}/{name}".lower()
    )
    variables = tuple(
        Variable(w.last, _today(found.class_name, r), w.dataset)
        for w, r in zip(weights, found.roles, strict=True)
    )
    return Stored(name, found.class_name, variables)
