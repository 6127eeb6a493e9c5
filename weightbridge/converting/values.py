"""The values of a conversion: what was written, which weights are scaled for it, and what is to be said."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from weightbridge.boundary.records import dataclass

Config = dict[str, Any]
Sentences = Mapping[str, tuple[str, ...]]  # a sentence, and the layers that it is about


@dataclass(frozen=True, slots=True)
class Scaling:
    """Weights that are multiplied by a factor, in those of `parts` equal blocks of the last axis.

    blocks: which of them, from 0.
    """

    factor: float
    parts: int = 1
    blocks: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that gets its value from the source.

    transform, parameters: as a plan's step says them. shape: in the new model.
    """

    layer: str
    role: str
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    transform: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A model in Keras 3's terms.

    config: what `config.json` holds. scalings: by the name of a layer and a role.
    rewritten, training, left: what was rewritten, what differs in training, what is not carried.
    """

    config: Config
    scalings: Mapping[tuple[str, str], tuple[Scaling, ...]]
    rewritten: Sentences
    training: Sentences
    left: Sentences


@dataclass
class Said:
    """What a lowering notes on its way."""

    rewritten: dict[str, list[str]] = field(default_factory=dict)
    training: dict[str, list[str]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)


def note(sentences: dict[str, list[str]], sentence: str, layer: str) -> None:
    """Puts a layer behind a sentence, once."""
    layers = sentences.setdefault(sentence, [])
    if layer not in layers:
        layers.append(layer)


def frozen(sentences: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {sentence: tuple(layers) for sentence, layers in sentences.items()}
