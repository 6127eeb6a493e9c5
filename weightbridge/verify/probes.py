"""Probes: seeded inputs of several kinds and sizes, and the user's own samples."""

import hashlib
from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path

import numpy as np

from weightbridge.boundary.options import Evidence
from weightbridge.model.tensors import Array, dtype_of
from weightbridge.verify.pairing import InputPair
from weightbridge.verify.samples import read_samples
from weightbridge.verify.values import Probe

Size = tuple[int, ...]  # lengths of an input's dynamic axes, first to last, the batch aside

BATCH = 2
# One probe has another length of the batch: a Reshape that holds it as a number computes something else then.
BATCHES = {"impulses": 3}
SIZES: tuple[Size, ...] = (
    (64, 96, 32),
    (37, 53, 29),
    (16, 12, 8),
    (7, 5, 3),
    (224, 256, 64),
    (1024, 128, 128),
    (16000, 64, 64),
)
CORE = ("normal", "uniform", "impulses", "chirp")
OTHERS = ("zeros", "normal x 1e-3", "normal x 1e3")
WORDS = ("red", "green", "blue", "one", "two", "three", "the", "a")
UNKNOWN = "zyzzyva"
LINES = ("uniform", "chirp", "normal x 1e3")  # kinds of several words; the others have one in each place
SELECTED: dict[Evidence, tuple[str, ...]] = {
    "quick": ("normal", "impulses"),
    "standard": (*CORE, *OTHERS),
    "full": (*CORE, *OTHERS, "normal again"),
}


def seed_of(reference_structure: str, candidate_structure: str) -> int:
    """The seed of a pair of models, from the hashes of their structures."""
    both = f"{reference_structure}\0{candidate_structure}"
    return int.from_bytes(hashlib.sha256(both.encode()).digest()[:8], "big")


def is_dynamic(pairs: Sequence[InputPair]) -> bool:
    """Whether any length but the batch's is free."""
    return any(n is None for pair in pairs for place, n in enumerate(pair.shape) if place != pair.batch)


def probes(
    pairs: Sequence[InputPair],
    seed: int,
    evidence: Evidence,
    sizes: Sequence[Size],
    samples: Path | None = None,
) -> tuple[Probe, ...]:
    """All kinds at the first size, normal ones at the others, then the user's samples, in the reference's
    layout.
    """
    made = [probe(pairs, kind, seed, sizes[0]) for kind in SELECTED[evidence]]
    made += [probe(pairs, "normal", seed, size, f"normal at {_text(size)}") for size in sizes[1:]]
    if samples is not None:
        made.append(Probe("samples", read_samples(samples, pairs)))
    return tuple(made)


def _text(size: Size) -> str:
    """64, 96 -> 64x96"""
    return "x".join(str(length) for length in size)


def probe(pairs: Sequence[InputPair], kind: str, seed: int, size: Size, name: str = "") -> Probe:
    """Every input and kind draws from a generator of its own, so that adding one changes no other."""
    name = name or kind
    feeds = {}
    for i, pair in enumerate(pairs):
        generator = np.random.default_rng([seed, i, _number(name)])
        feeds[pair.reference.name] = _values(pair, kind, _shape(pair, size, kind), generator)
    return Probe(name, feeds, core=kind not in OTHERS)


def louder(probe: Probe, exponent: int) -> Probe:
    """The same inputs so many powers of ten larger, where they are numbers with a point."""
    with np.errstate(over="ignore"):
        feeds = {
            name: (array * 10.0**exponent).astype(array.dtype) if array.dtype.kind == "f" else array
            for name, array in probe.feeds.items()
        }
    return Probe(f"{probe.name} x 1e{exponent}", feeds, core=False)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _shape(pair: InputPair, size: Size, kind: str) -> tuple[int, ...]:
    """The free lengths from `size`, whose last one stands for all further ones."""
    if not pair.shape:
        return ()
    lengths = chain(size, repeat(size[-1]))
    batch = BATCHES.get(kind, BATCH)
    free = (
        (batch if place == pair.batch else next(lengths)) if n is None else n
        for place, n in enumerate(pair.shape)
    )
    return tuple(free)


def _values(pair: InputPair, kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    if pair.is_text:
        return _text_of(kind, shape, pair.words or WORDS, generator)
    dtype = dtype_of(pair.reference.dtype)
    is_integer = pair.vocabulary is not None or dtype.kind in "iub"
    if is_integer and pair.words:
        return _known(pair.words, shape, generator).astype(dtype)
    if is_integer:
        return (pair.least + _integers(kind, shape, pair.vocabulary or 2, generator)).astype(dtype)
    return _floats(kind, shape, generator).astype(dtype)


def _integers(kind: str, shape: tuple[int, ...], count: int, generator: np.random.Generator) -> Array:
    """Over the vocabulary; the unknown one of a mask or of segment ids is {0, 1}."""
    if kind == "zeros":
        return np.zeros(shape, np.int64)
    if kind == "chirp":
        return (np.arange(int(np.prod(shape))) * 7 % count).reshape(shape)
    return generator.integers(0, count, shape)


def _known(words: Sequence[str], shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Numbers that a lookup knows, and one that it does not."""
    numbers = [int(word) for word in words]
    return generator.choice([*numbers, max(numbers) + 1], shape)


def _text_of(
    kind: str, shape: tuple[int, ...], words: Sequence[str], generator: np.random.Generator
) -> Array:
    """One to four words in each place; one in eight is none that a model knows."""
    if kind == "zeros":
        return np.full(shape, "")
    known = (*words, UNKNOWN) if len(words) < 7 else (*words, *[UNKNOWN] * (len(words) // 7))
    counts = generator.integers(1, 5, shape) if kind in LINES else np.ones(shape, np.int64)
    texts = [" ".join(known[i] for i in generator.integers(0, len(known), n)) for n in counts.ravel()]
    return np.array(texts, np.str_).reshape(shape)


def _floats(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    match kind:
        case "uniform":
            return generator.random(shape)
        case "impulses":
            return _impulses(shape, generator)
        case "chirp":
            return _chirp(shape)
        case "zeros":
            return np.zeros(shape)
        case "normal x 1e-3":
            return generator.standard_normal(shape) * 1e-3
        case "normal x 1e3":
            return generator.standard_normal(shape) * 1e3
        case _:
            return generator.standard_normal(shape)


def _impulses(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """One value in fifty is not zero, at least one in each item: shows padding and the order of axes."""
    values = generator.standard_normal(shape) * (generator.random(shape) < 0.02)
    for item in values.reshape(shape[0], -1):
        item[generator.integers(item.size)] = generator.standard_normal() + 2.0
    # No zero below zero: functions of order tell them apart, and ONNX's do not.
    return np.asarray(values + 0.0)


def _chirp(shape: tuple[int, ...]) -> Array:
    """Rising waves, another frequency along each axis and another phase for each item.

    No two axes can be exchanged unnoticed.
    """
    total = np.zeros(shape)
    item = _along(0, np.arange(shape[0]), len(shape))
    for axis in range(1, len(shape)):
        place = _along(axis, np.linspace(0.0, 1.0, shape[axis]), len(shape))
        angle = 2 * np.pi * (axis + 0.5) * place * (1 + 2 * place)
        total = total + np.sin(angle + 0.7 * item + axis) / axis
    return total


def _along(axis: int, values: Array, rank: int) -> Array:
    """The values along one of so many axes."""
    shape = [1] * rank
    shape[axis] = -1
    return values.reshape(shape)
