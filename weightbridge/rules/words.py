"""A layer's path as words: `encoder.layer.0.attention.self.query` and
`transformer_layer_0/self_attention/query` can be compared.
"""

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
    """The lower-case words and numbers of a name, common spellings joined (`LayerNorm`, `layernorm`,
    `layer_norm`).
    """
    plain = LETTERED.sub(lambda found: f"{found[1]}_{ord(found[2]) - ord('a')}", DIMENSIONS.sub("", name))
    found: list[str] = []
    for part in PARTS.findall(plain):
        low = part.lower()
        found.extend(JOINED.get(low, (low,)))
    return tuple(found)
