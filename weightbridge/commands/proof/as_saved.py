"""What a model computed when it was saved: who can compute a file of an older Keras, the nearest first."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.errors import ModelError, RunError
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.running import Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.rules.dialects import version_of

Build = Callable[[str], Runner]  # a runner in a dtype
Reference = tuple[str, Build]  # who computes it
OWN = "numpy"  # weightbridge's own evaluator
WHOLE, OF_WEIGHTS = frozenset({"keras-h5", "keras-zip"}), frozenset({"keras-h5", "keras-h5-weights"})
SAVED_MODEL = "saved-model"
SINCE_SAVED = frozenset({"WB102", "WB103"})  # today's Keras refuses the file, or computes something else
TF_KERAS = "weightbridge.formats.keras.framework.runs.older"


def keras_of(graph: LayerGraph) -> tuple[int, ...]:
    """The version that saved it."""
    return version_of(graph.producer.rpartition(" ")[2])


def is_outdated(graph: LayerGraph) -> bool:
    """Whether today's Keras is not what runs this file: it was saved by an older one, and reads otherwise."""
    is_of_keras = graph.framework == "keras" and graph.architecture is not None and keras_of(graph) < (3,)
    return is_of_keras and any(found.code in SINCE_SAVED for found in graph.findings)


def as_saved(path: Path, graph: LayerGraph, architecture: Path | None = None) -> Iterator[Reference]:
    """Of a file of Keras 1 or 2. architecture: where it stands apart from the weights.

    tf_keras does not turn the kernels over that Theano saved.
    """
    is_flipped = any(layer.attributes.get("kernel_flipped") for layer in graph.layers)
    if keras_of(graph) >= (2,) and graph.format in _run_by_tf_keras(architecture) and not is_flipped:
        yield "tf_keras", lambda dtype: _older(path, architecture, dtype)
    yield OWN, lambda dtype: _evaluator(graph, dtype)
    if graph.format == SAVED_MODEL:
        yield "TensorFlow", lambda dtype: formats.runner(path, dtype)
        yield "TensorFlow in float32", lambda dtype: single(path, dtype)


def first_that_runs(path: Path, graph: LayerGraph) -> Reference | None:
    """Its runner in float32 is the one that was tried; None where nothing here computes what the file did."""
    for name, build in as_saved(path, graph):
        try:
            return name, _keeping(build("float32"), build)
        except (RunError, ModelError):
            continue
    return None


def _keeping(tried: Runner, build: Build) -> Build:
    return lambda dtype: tried if dtype == "float32" else build(dtype)


def _run_by_tf_keras(architecture: Path | None) -> frozenset[str]:
    return WHOLE if architecture is None else OF_WEIGHTS


def _evaluator(graph: LayerGraph, dtype: str) -> Runner:
    # a hundred modules that a file of today does without
    from weightbridge.formats.keras.evaluate.runner import runner

    return runner(graph, dtype)


def _older(path: Path, architecture: Path | None, dtype: str) -> Runner:
    with TemporaryDirectory(prefix="weightbridge-") as folder:
        whole = path
        if architecture is not None:
            from weightbridge.formats.keras.assembled import write_whole  # as above

            whole = Path(folder) / "whole.h5"
            write_whole(path, architecture, whole)
        runner: Runner = framework_module(TF_KERAS).runner(whole, dtype)
        return runner


def single(model: Any, dtype: str) -> Runner:
    """Where float64 is nothing to go by, moved weights measure the noise."""
    if dtype != "float32":
        raise RunError(f"{dtype} was tried already")
    return formats.runner(model, dtype)
