"""A layer's path as words: `transformer_layer_0/LayerNorm` -> transformer layer 0 layer norm."""

import re
from functools import lru_cache

PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
DIMENSIONS = re.compile(r"(?<=[a-zA-Z])[123][dD](?![a-zA-Z])")
LETTERED = re.compile(r"(?<=block)(\d+)([a-z])(?=[_./]|$)")  # `block2a`: the letter counts
JOINED = {
    "layernorm": ("layer", "norm"),
    "batchnorm": ("batch", "norm"),
    "groupnorm": ("group", "norm"),
    "rmsnorm": ("norm",),
    "normalization": ("norm",),
    "normalisation": ("norm",),
    "feedforward": ("ffn",),
    "ffw": ("ffn",),
    "ff": ("ffn",),
    "feed": ("ffn",),
    "convolution": ("conv",),
    "attn": ("attention",),
    "selfattention": ("self", "attention"),
    "crossattention": ("cross", "attention"),
    "bn": ("batch", "norm"),
    "dconv": ("conv",),
    "classification": ("cls",),
    "regression": ("reg",),
    "downsample": ("shortcut",),
    "skip": ("shortcut",),
    "embeddings": ("embedding",),
    "embed": ("embedding",),
    "embd": ("embedding",),
    "emb": ("embedding",),
    "tokens": ("token",),
    "positions": ("position",),
    "positional": ("position",),
    "pos": ("position",),
    "proj": ("projection",),
    "layers": ("layer",),
    "blocks": ("block",),
    "stages": ("stage",),
    "experts": ("expert",),
}


@lru_cache(maxsize=1 << 18)
def words(name: str) -> tuple[str, ...]:
    """The lower-case words and numbers of a name, common spellings joined (`LayerNorm`, `layernorm`)."""
    without_dimensions = DIMENSIONS.sub("", name)
    plain = LETTERED.sub(lambda match: f"{match[1]}_{ord(match[2]) - ord('a')}", without_dimensions)
    parts: list[str] = []
    for part in PARTS.findall(plain):
        low = part.lower()
        parts.extend(JOINED.get(low, (low,)))
    return tuple(parts)
