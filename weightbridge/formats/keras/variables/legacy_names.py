"""Names of weights in the legacy layout -> scopes and roles, for every age of Keras."""

import re

from weightbridge.boundary.records import dataclass
from weightbridge.formats.hdf5.tree import Dataset

SYNONYMS = {
    "W": "kernel",
    "b": "bias",
    "U": "recurrent_kernel",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",  # Keras 1 keeps the variance under this name
    "running_var": "moving_variance",
    "alphas": "alpha",
}
ROLES = frozenset(
    [
        "kernel",
        "bias",
        "recurrent_kernel",
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
        "embeddings",
        "depthwise_kernel",
        "pointwise_kernel",
        "alpha",
        "mean",
        "variance",
        "count",
        "scale",
        "vector_u",
    ]
)
OLD = re.compile(
    r"(?:^|_)((?:W|U|b)(?:_[ifcozrh])?|gamma|beta|alphas|embeddings"
    r"|running_(?:mean|std|var)|moving_(?:mean|variance))$"
)
GATE = re.compile(r"(W|U|b)_([ifcozrh])")
CELL = re.compile(r"(\w*_)?cells?(_\d+)?")


@dataclass(frozen=True, slots=True)
class Weight:
    """One entry of `weight_names`: the parts of its name, its role, its array.

    The layer's own name, cells and `:0` are not among the parts.
    """

    parts: tuple[str, ...]
    role: str
    dataset: Dataset

    @property
    def scope(self) -> tuple[str, ...]:
        return self.parts[:-1]

    @property
    def last(self) -> str:
        return self.parts[-1]

    @property
    def number(self) -> str:
        """What is counted behind the role (`kernel_1`), "" for none."""
        return self.last.removeprefix(f"{self.role}_") if self.last.startswith(f"{self.role}_") else ""

    @property
    def holder(self) -> str:
        """The layer that Keras 1 names before the role (`conv_1` of `conv_1_W`), "" where it names none."""
        old = OLD.search(self.last)
        return self.last[: old.start()] if old else ""


def weight_of(layer: str, name: str, dataset: Dataset) -> Weight:
    """The weight `name` in the group of a layer."""
    *scope, last = re.sub(r":\d+$", "", name).split("/")
    parts: list[str] = []
    for i, part in enumerate(scope):
        is_repeated = i > 0 and scope[i - 1] == part
        if not is_repeated and not CELL.fullmatch(part):
            parts.append(part)
    while parts and parts[0] == layer:
        parts.pop(0)
    return Weight((*parts, last), role_of(last), dataset)


def role_of(name: str) -> str:
    """The role that the last part of a weight's name says, in today's words."""
    if name in ROLES:
        return name
    plain = re.sub(r"_\d+$", "", name)
    if plain in ROLES:
        return plain
    old = OLD.search(name)
    if not old:
        return name
    gate = GATE.fullmatch(old[1])
    return f"{SYNONYMS[gate[1]]}_{gate[2]}" if gate else SYNONYMS.get(old[1], old[1])


def is_seed(name: str) -> bool:
    """Whether a weight is the state of a random number generator."""
    return "seed_generator" in name
