"""PyTorch's zip archives, and checkpoints of several files (`pytorch_model.bin.index.json`)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge.errors import Unsupported
from weightbridge.formats.sniffing.content import sniff
from weightbridge.formats.sniffing.folders import INDEXES
from weightbridge.formats.state_dicts import Asked, StateDict, asked_of, graph_of
from weightbridge.formats.state_dicts.shard_index import check_names, index_in, is_index, read_index
from weightbridge.formats.torch.archive import read_state
from weightbridge.formats.torch.legacy import read_state as read_legacy_state
from weightbridge.model.graph import LayerGraph

READERS = {"torch-zip": read_state, "torch-legacy": read_legacy_state}


def read(path: Path, arguments: Mapping[str, Any] | None = None) -> LayerGraph:
    """The layers of the model in an archive, or in the shards that an index or a folder names.

    Raises a ModelError, or UsageError for a wrong argument.
    """
    asked = asked_of(arguments)
    if is_index(path):
        return _read_shards(path, asked)
    state, producer = read_state(path, asked.weights)
    return graph_of(str(path), "torch-zip", producer, state, asked)


def _read_shards(path: Path, asked: Asked) -> LayerGraph:
    index = read_index(index_in(path, INDEXES["torch-zip"]))
    states = {shard: _read_shard(shard) for shard in index.shards}
    findings = check_names(index, {shard: _names(state) for shard, state in states.items()})
    kept = []
    for shard, state in states.items():
        names = {name for name, file in index.weights.items() if file == shard.name}
        kept.append(_listed(state, names))
    joined = _joined(kept)
    joined = replace(joined, findings=(*joined.findings, *findings))
    graph = graph_of(str(path), "torch-zip", "PyTorch", joined, asked)
    return replace(graph, files=tuple(map(str, index.shards)))


def _names(state: StateDict) -> list[str]:
    tensors = [tensor.name for tensor in state.tensors]
    excluded = [tensor.name for tensor in state.excluded]
    return tensors + excluded


def _read_shard(shard: Path) -> StateDict:
    format = sniff(shard)
    if format not in READERS:
        raise Unsupported(
            f"a shard that is a {format} file",
            where=str(shard),
            fix="The index names PyTorch files: get the ones that belong to it",
        )
    state, _ = READERS[format](shard)
    return state


def _listed(state: StateDict, names: set[str]) -> StateDict:
    return replace(
        state,
        tensors=tuple(t for t in state.tensors if t.name in names),
        excluded=tuple(e for e in state.excluded if e.name in names),
        ties={name: first for name, first in state.ties.items() if {name, first} <= names},
    )


def _joined(states: Iterable[StateDict]) -> StateDict:
    joined = StateDict(())
    for state in states:
        joined = StateDict(
            (*joined.tensors, *state.tensors),
            (*joined.excluded, *state.excluded),
            (*joined.findings, *state.findings),
            {**joined.scales, **state.scales},
            {**joined.affine, **state.affine},
            {**joined.ties, **state.ties},
        )
    return joined
