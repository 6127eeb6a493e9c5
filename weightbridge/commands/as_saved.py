"""What a model computed when it was saved: who can compute a file of an older Keras, the nearest first."""

from collections.abc import Callable, Iterator
from pathlib import Path

from weightbridge.errors import ModelError, RunError
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.keras.evaluate.runner import runner as evaluator
from weightbridge.formats.running import Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.rules.dialects import version_of

Build = Callable[[str], Runner]  # a runner in a dtype
Reference = tuple[str, Build]  # who computes it
OWN = "numpy"  # weightbridge's own evaluator
RUN_BY_TF_KERAS = frozenset({"keras-h5", "keras-zip"})
SINCE_SAVED = frozenset({"WB102", "WB103"})  # today's Keras refuses the file, or computes something else
TF_KERAS = "weightbridge.formats.keras.framework.older"


def keras_of(graph: LayerGraph) -> tuple[int, ...]:
    """The version that saved it."""
    return version_of(graph.producer.rpartition(" ")[2])


def is_outdated(graph: LayerGraph) -> bool:
    """Whether today's Keras is not what runs this file: it was saved by an older one, and reads otherwise."""
    is_of_keras = graph.framework == "keras" and graph.architecture is not None and keras_of(graph) < (3,)
    return is_of_keras and any(found.code in SINCE_SAVED for found in graph.findings)


def as_saved(path: Path, graph: LayerGraph, *, is_whole: bool) -> Iterator[Reference]:
    """Of a file of Keras 1 or 2. is_whole: with its architecture inside.

    tf_keras does not turn the kernels over that Theano saved.
    """
    is_flipped = any(layer.attributes.get("kernel_flipped") for layer in graph.layers)
    if keras_of(graph) >= (2,) and graph.format in RUN_BY_TF_KERAS and is_whole and not is_flipped:
        yield "tf_keras", lambda dtype: _older(path, dtype)
    yield OWN, lambda dtype: evaluator(graph, dtype)


def first_that_runs(path: Path, graph: LayerGraph) -> Reference | None:
    """None where nothing here computes what the file did."""
    for name, build in as_saved(path, graph, is_whole=True):
        try:
            build("float32")
        except (RunError, ModelError):
            continue
        return name, build
    return None


def _older(path: Path, dtype: str) -> Runner:
    runner: Runner = framework_module(TF_KERAS).runner(path, dtype)
    return runner
