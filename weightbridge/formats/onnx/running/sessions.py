"""What runs an ONNX graph: onnxruntime; for float64 onnxruntime where it has the kernels, else onnx's own
reference.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator

from weightbridge.errors import RunError, Unsupported
from weightbridge.formats.onnx.running.double import OWN, in_double
from weightbridge.model.tensors import Array

Session = Callable[[Sequence[str], Mapping[str, Array]], list[Array]]
EXTERNAL = "session.model_external_initializers_file_folder_path"
AGREEMENT = 1e-2  # a float64 run further than this from the float32 run says nothing about rounding


def session(proto: Any, path: Path) -> Session:
    """A session of onnxruntime on the CPU, nothing optimised away. Raises Unsupported; what it returns raises
    RunError.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    )  # what is asked for is what is computed
    options.log_severity_level = 4
    options.add_session_config_entry(EXTERNAL, str(path.parent.resolve()))
    try:
        made = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no class of their own
        fix = "Export it for an opset that onnxruntime knows, or run without verification (--no-verify)"
        raise Unsupported(f"onnxruntime cannot load it: {_brief(error)}", where=str(path), fix=fix) from error

    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        try:
            return list(made.run(list(names), dict(feeds)))
        except Exception as error:
            fix = "Check the names and shapes of the inputs"
            raise RunError(f"onnxruntime cannot run it: {_brief(error)}", where=str(path), fix=fix) from error

    return run


def double_session(proto: Any, path: Path) -> Session:
    """The graph in float64. Raises Unsupported where neither onnxruntime nor onnx's reference can be had."""
    wide, single = in_double(proto), session(proto, path)
    try:
        native = session(wide, path)
    except Unsupported:
        native = None
    reference: list[Any] = []

    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        if native is not None and not reference:
            try:
                return native(names, feeds)
            except RunError:
                pass  # kernels that load and then refuse float64; the reference is tried
        if not reference:
            reference.append(_reference(wide, path))
        found = _evaluated(reference[0], names, feeds, path)
        narrow = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in feeds.items()}
        _check_agreement(names, single(names, narrow), found, path)
        return found

    return run


def _reference(wide: Any, path: Path) -> Any:
    try:
        return ReferenceEvaluator(wide, new_ops=list(OWN))
    except Exception as error:  # whatever a foreign interpreter raises for an operation that it does not know
        raise Unsupported(f"it cannot be run in float64: {_brief(error)}", where=str(path)) from error


def _evaluated(evaluator: Any, names: Sequence[str], feeds: Mapping[str, Array], path: Path) -> list[Array]:
    try:
        with np.errstate(all="ignore"):  # NaN is a result, which the caller looks at
            return [np.asarray(a) for a in evaluator.run(list(names), dict(feeds))]
    except Exception as error:
        raise RunError(f"it cannot be run in float64: {_brief(error)}", where=str(path)) from error


def _check_agreement(
    names: Sequence[str], single: Sequence[Array], wide: Sequence[Array], path: Path
) -> None:
    """The reference has errors of its own, which must not pass for rounding."""
    for name, a, b in zip(names, single, wide, strict=True):
        size = (
            float(np.sqrt(np.mean(np.square(a, dtype=np.float64))))
            if a.size and np.issubdtype(a.dtype, np.floating)
            else 0.0
        )
        if a.shape != b.shape or (size and np.sqrt(np.mean(np.square(a - b))) > AGREEMENT * size):
            raise RunError(
                f"onnx's reference in float64 gives another {name!r} than onnxruntime: no measure of rounding",
                where=str(path),
            )


def _brief(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:300]
