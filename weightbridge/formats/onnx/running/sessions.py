"""What runs an ONNX graph: onnxruntime, or onnx's own reference where that has no kernels for float64."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx.helper import tensor_dtype_to_np_dtype
from onnx.reference import ReferenceEvaluator

from weightbridge.errors import RunError, Unsupported
from weightbridge.formats.onnx.running.double import OWN, in_double, kept_types
from weightbridge.formats.onnx.running.weights import Weights, given, whole
from weightbridge.formats.onnx.running.weights import in_double as weights_in_double
from weightbridge.formats.running import brief
from weightbridge.model.tensors import Array

Session = Callable[[Sequence[str], Mapping[str, Array]], list[Array]]
EXTERNAL = "session.model_external_initializers_file_folder_path"
AGREEMENT = 1e-2  # a float64 run further than this from the float32 run says nothing about rounding


def session(proto: Any, path: Path, threads: int = 0, weights: Weights | None = None) -> Session:
    """A session of onnxruntime on the CPU, nothing optimised away. threads: 0 for as many as it takes.

    weights: those that stand apart from the graph, which the session copies.

    Raises Unsupported; what it returns raises RunError.
    """
    options = ort.SessionOptions()
    # what is asked for is what is computed
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.add_session_config_entry(EXTERNAL, str(path.parent.resolve()))
    names, arrays = given(proto, weights or {})
    try:
        if names:
            values = [ort.OrtValue.ortvalue_from_numpy(array) for array in arrays]
            options.add_external_initializers(names, values)
        loaded = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no class of their own
        fix = "Export it for an opset that onnxruntime knows, or run without verification (--no-verify)"
        raise Unsupported(f"onnxruntime cannot load it: {brief(error)}", where=str(path), fix=fix) from error

    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        try:
            return list(loaded.run(list(names), dict(feeds)))
        except Exception as error:
            fix = "Check the names and shapes of the inputs"
            raise RunError(f"onnxruntime cannot run it: {brief(error)}", where=str(path), fix=fix) from error

    return run


def double_session(proto: Any, path: Path, weights: Weights) -> Session:
    """The graph in float64. Raises Unsupported where neither onnxruntime nor onnx's reference can be had."""
    wide, single = in_double(proto), cache(partial(session, proto, path, 0, weights))
    doubled = weights_in_double(weights, kept_types(proto.graph))
    stored = {info.name: info.type.tensor_type.elem_type for info in proto.graph.input}
    native = _native(wide, path, doubled)
    reference: list[Any] = []

    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        arrays = native(names, feeds) if native is not None and not reference else None
        if arrays is not None:
            return arrays
        if not reference:
            reference.append(_reference(whole(wide, doubled), path))
        arrays = _evaluated(reference[0], names, feeds, path)
        narrow = {name: _narrowed(array, stored.get(name)) for name, array in feeds.items()}
        _check_agreement(names, single()(names, narrow), arrays, path)
        return arrays

    return run


def _native(
    wide: Any, path: Path, weights: Weights
) -> Callable[[Sequence[str], Mapping[str, Array]], list[Array] | None] | None:
    """onnxruntime in float64; None, at once or when it is run, where it has no kernels."""
    try:
        loaded = session(wide, path, 0, weights)
    except Unsupported:
        return None

    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array] | None:
        try:
            return loaded(names, feeds)
        except RunError:
            return None  # kernels that load and then refuse float64

    return run


def _narrowed(array: Array, stored: int | None) -> Array:
    """The array as the model itself takes it."""
    if array.dtype != np.float64 or stored is None:
        return array
    return array.astype(tensor_dtype_to_np_dtype(stored))


def _reference(wide: Any, path: Path) -> Any:
    try:
        return ReferenceEvaluator(wide, new_ops=list(OWN))
    except Exception as error:  # whatever a foreign interpreter raises for an operation that it does not know
        raise Unsupported(f"it cannot be run in float64: {brief(error)}", where=str(path)) from error


def _evaluated(evaluator: Any, names: Sequence[str], feeds: Mapping[str, Array], path: Path) -> list[Array]:
    try:
        with np.errstate(all="ignore"):  # NaN is a result, which the caller looks at
            return [np.asarray(a) for a in evaluator.run(list(names), dict(feeds))]
    except Exception as error:
        raise RunError(f"it cannot be run in float64: {brief(error)}", where=str(path)) from error


def _check_agreement(
    names: Sequence[str], single: Sequence[Array], wide: Sequence[Array], path: Path
) -> None:
    """The reference has errors of its own, which must not pass for rounding."""
    for name, a, b in zip(names, single, wide, strict=True):
        has_numbers = a.size > 0 and np.issubdtype(a.dtype, np.floating)
        size = _mean_square_root(a) if has_numbers else 0.0
        if a.shape != b.shape or (size and np.sqrt(np.mean(np.square(a - b))) > AGREEMENT * size):
            message = f"onnx's reference in float64 gives another {name!r} than onnxruntime"
            raise RunError(f"{message}: no measure of rounding", where=str(path))


def _mean_square_root(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))
