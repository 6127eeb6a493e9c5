"""State dicts of any number of blocks, as names and shapes and as graphs.

Nine tensors a block, and three beside them.
"""

from collections.abc import Mapping

from matching_size import unread

from weightbridge.formats.state_dicts import StateDict, graph_of
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor

WIDTH, INNER, WORDS = 8, 24, 50
Shapes = Mapping[str, tuple[int, ...]]
BLOCK = (
    ("input_layernorm.weight", "self_attention_layernorm/scale", (WIDTH,)),
    ("self_attn.q_proj.weight", "self_attention/query/kernel", (WIDTH, WIDTH)),
    ("self_attn.k_proj.weight", "self_attention/key/kernel", (WIDTH, WIDTH)),
    ("self_attn.v_proj.weight", "self_attention/value/kernel", (WIDTH, WIDTH)),
    ("self_attn.o_proj.weight", "self_attention/attention_output/kernel", (WIDTH, WIDTH)),
    ("post_attention_layernorm.weight", "feedforward_layernorm/scale", (WIDTH,)),
    ("mlp.gate_proj.weight", "feedforward_gate_dense/kernel", (INNER, WIDTH)),
    ("mlp.up_proj.weight", "feedforward_intermediate_dense/kernel", (INNER, WIDTH)),
    ("mlp.down_proj.weight", "feedforward_output_dense/kernel", (WIDTH, INNER)),
)
ENDS = (
    ("model.embed_tokens.weight", "token_embedding/embeddings", (WORDS, WIDTH)),
    ("model.norm.weight", "sequence_output_layernorm/scale", (WIDTH,)),
    ("lm_head.weight", "token_embedding/reverse_embeddings", (WORDS, WIDTH)),
)


def torch_state(blocks: int, prefix: str = "model.layers") -> Shapes:
    """As PyTorch has it; `prefix` is the name of the list of blocks."""
    inside = {f"{prefix}.{n}.{name}": shape for n in range(blocks) for name, _, shape in BLOCK}
    root = prefix.rpartition(".")[0]
    return inside | {name.replace("model", root): shape for name, _, shape in ENDS}


def keras_state(blocks: int) -> Shapes:
    """The same model with the names and layouts of Keras in the same order; word tables are not turned."""
    inside = {f"transformer_layer_{n}/{name}": shape[::-1] for n in range(blocks) for _, name, shape in BLOCK}
    return inside | {name: shape if name.endswith("/embeddings") else shape[::-1] for _, name, shape in ENDS}


def graph(path: str, shapes: Shapes) -> LayerGraph:
    """As a safetensors file of these names and shapes is read."""
    return graph_of(
        path,
        "safetensors",
        "",
        StateDict(tuple(Tensor(n, n, s, "float32", n, unread) for n, s in shapes.items())),
    )
