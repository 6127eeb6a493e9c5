"""The skeleton of an ONNX file from the graph of another format, by way of the Keras model that it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.proof.claims import rounds_data
from weightbridge.commands.skeletons import onnx, rebuilt
from weightbridge.commands.skeletons.values import Skeleton
from weightbridge.errors import Unsupported, UsageError
from weightbridge.model.graph import LayerGraph
from weightbridge.planning.conversions.through import between, through_plan

AS_KERAS = "Convert it to a .keras file instead"


def make(model: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Raises Unsupported for what Keras has no layer for, or ONNX here no node."""
    if options.engine == "tf2onnx":
        message = "--engine tf2onnx is for a Keras model that becomes ONNX"
        raise UsageError(message, fix="ask for no engine: weightbridge writes it itself")
    plain = replace(options, input_layout=None)
    keras = rebuilt.make(model, source, path.with_name("between.keras"), plain)
    if rounds := rounds_data(keras.plan):
        message = f"{rounds}, and an ONNX file cannot be made to for proof"
        raise Unsupported(message, where=source.path, fix=AS_KERAS)
    filled = between(keras.template.target, keras.plan, source)
    try:
        made = onnx.make(model, filled, path, options)
    except Unsupported as error:
        raise Unsupported(error.message, where=source.path, fix=AS_KERAS) from error
    plan, findings = through_plan(source, keras.plan, made.plan, options)
    kept = tuple(found for found in (*keras.findings, *made.findings) if found.code != "WB203")
    return replace(made, plan=plan, findings=(*kept, *findings))
