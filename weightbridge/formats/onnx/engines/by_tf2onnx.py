"""A Keras model written as ONNX by tf2onnx, with its known faults mended around it.

Erfc, which ONNX does not have, becomes 1 - Erf (onnx/tensorflow-onnx#2347); TimeDistributed runs all steps at
once, where a loop over steps of unknown number comes out wrong; outputs get the layers' names; constants are
no inputs; what the checker or onnxruntime refuses, or what gives other shapes than the model, is not kept.
"""

import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from weightbridge.errors import ModelError, RunError, Unsupported
from weightbridge.formats.keras.framework.live import load_callable
from weightbridge.formats.keras.framework.load import load

BATCH, UNKNOWN = 2, 32  # the lengths that a written file is tried with
OTHERWISE = "convert it with --engine own, or leave out the layers that it names"


def write(
    model: Any,
    output: Path,
    outputs: Sequence[str],
    opset: int,
    channels_first: bool,
    arguments: Mapping[str, Any],
) -> None:
    """outputs: the names that the model's outputs get, in order.

    Raises Unsupported where tf2onnx fails, or where what it writes cannot be loaded.
    """
    live = _live(model, arguments)
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name=_plain(tensor.name, place))
        for place, tensor in enumerate(live.inputs)
    ]
    images = [spec.name for spec in specs if channels_first and len(spec.shape) in (4, 5)]
    keys = [f"output_{n}" for n in range(len(outputs))]
    try:
        with _quiet(), _all_steps_at_once(), _without_old_graphs():
            function = _function(live, specs, keys)
            proto, _ = tf2onnx.convert.from_function(
                function, specs, opset=opset, custom_op_handlers=HANDLERS, inputs_as_nchw=images or None
            )
    except Exception as error:  # whatever a foreign converter raises
        raise _refused(f"tf2onnx cannot convert it: {_brief(error)}") from error
    _hold(proto, _captured(function, specs))
    names = {spec.name: tensor.name for spec, tensor in zip(specs, live.inputs, strict=True)}
    _rename(proto, {**dict(zip(keys, outputs, strict=True)), **names})
    _check(proto, [tensor.name for tensor in live.inputs])
    onnx.save(proto, output)
    _check_runs(output, live, specs)


def _live(model: Any, arguments: Mapping[str, Any]) -> Any:
    if isinstance(model, str) and model.startswith("py:"):
        return load_callable(model, dict(arguments))
    return load(Path(model)) if isinstance(model, str | Path) else model


def _plain(name: str, place: int) -> str:
    """TensorFlow takes letters and digits alone for an argument."""
    return f"input_{place}_{''.join(c if c.isalnum() else '_' for c in name)}"


def _function(live: Any, specs: Sequence[Any], keys: Sequence[str]) -> Any:
    def call(*given: Any) -> dict[str, Any]:
        found = live(list(given) if len(given) > 1 else given[0], training=False)
        values = list(found.values()) if isinstance(found, Mapping) else tf.nest.flatten(found)
        return {key: tf.identity(value) for key, value in zip(keys, values, strict=True)}

    return tf.function(call, input_signature=list(specs))


def _complement_of_erf(ctx: Any, node: Any, name: str, args: Any) -> None:
    """erfc(x) = 1 - erf(x)"""
    output = node.output[0]
    shape, dtype = ctx.get_shape(output), ctx.get_dtype(output)
    kind = np.float64 if dtype == onnx.TensorProto.DOUBLE else np.float32
    one = ctx.make_const(f"{name}_one", np.array(1.0, kind))
    erf = ctx.make_node("Erf", [node.input[0]], name=f"{name}_erf", shapes=[shape], dtypes=[dtype])
    ctx.remove_node(name)
    operands = [one.output[0], erf.output[0]]
    ctx.make_node("Sub", operands, outputs=[output], name=name, shapes=[shape], dtypes=[dtype])


def _captured(function: Any, specs: Sequence[Any]) -> dict[str, Any]:
    """Constants that a model was built around, as Normalization is: tf2onnx takes them for inputs."""
    concrete = function.get_concrete_function(*specs)
    given = zip(concrete.inputs[len(specs) :], concrete.captured_inputs, strict=True)
    return {tensor.name: value.numpy() for tensor, value in given if tensor.dtype != tf.resource}


def _hold(proto: Any, constants: Mapping[str, Any]) -> None:
    """Inputs that are constants become initializers."""
    inputs = [info for info in proto.graph.input if info.name not in constants]
    held = [info.name for info in proto.graph.input if info.name in constants]
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(constants[name], name) for name in held)
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def _rename(proto: Any, names: Mapping[str, str]) -> None:
    """Values that have one of the new names already get another; outputs stand in the order of `names`."""
    graph = proto.graph
    nodes = [values for node in graph.node for values in (node.input, node.output)]
    held = {value for values in nodes for value in values}
    moved = {name: f"{name}/value" for name in (held & set(names.values())) - names.keys()}
    renamed = {**moved, **names}
    for values in nodes:
        values[:] = [renamed.get(value, value) for value in values]
    for info in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        info.name = renamed.get(info.name, info.name)
    _put_in_order(graph, list(names.values()))


def _put_in_order(graph: Any, order: Sequence[str]) -> None:
    ordered = sorted(graph.output, key=lambda info: order.index(info.name))
    del graph.output[:]
    graph.output.extend(ordered)


def _check(proto: Any, inputs: Sequence[str]) -> None:
    asked = [info.name for info in proto.graph.input]
    if sorted(asked) != sorted(inputs):
        raise _refused(f"tf2onnx asks for the inputs {', '.join(asked)}, expected {', '.join(inputs)}")
    try:
        onnx.checker.check_model(proto)
    except Exception as error:  # of the checker, which has classes of its own
        raise _refused(f"tf2onnx writes a graph that ONNX does not allow: {_brief(error)}") from error


def _check_runs(path: Path, live: Any, specs: Sequence[Any]) -> None:
    """By onnxruntime, where that is installed: also where nothing is verified."""
    if find_spec("onnxruntime") is None:
        return
    from weightbridge.formats.onnx.running.run import runner
    from weightbridge.formats.onnx.running.sessions import session

    zeros = [np.zeros([BATCH, *(n or UNKNOWN for n in s.shape[1:])], s.dtype.as_numpy_dtype) for s in specs]
    try:
        session(onnx.load(path, load_external_data=False), path)
        model = runner(path)
        expected = _shapes_of(live, zeros)
        feeds = dict(zip((tensor.name for tensor in live.inputs), zeros, strict=True))
        got = [array.shape for array in model.run(feeds).values()] if expected is not None else None
    except ModelError as error:
        raise _refused(f"what tf2onnx writes cannot be loaded: {error.message}") from error
    except RunError as error:
        raise _refused(f"what tf2onnx writes cannot run: {error.message}") from error
    if got != expected:
        raise _refused(f"what tf2onnx writes gives the shapes {got}, the model {expected}")


def _shapes_of(live: Any, given: Sequence[Any]) -> list[tuple[int, ...]] | None:
    """None where the model does not run on these."""
    try:
        found = live(
            [tf.constant(x) for x in given] if len(given) > 1 else tf.constant(given[0]), training=False
        )
    except Exception:  # noqa: BLE001  # whatever a layer raises: the lengths are ours
        return None
    values = list(found.values()) if isinstance(found, Mapping) else tf.nest.flatten(found)
    return [tuple(value.shape) for value in values]


def _refused(message: str) -> Unsupported:
    return Unsupported(message, fix=OTHERWISE)


HANDLERS: dict[str, Any] = {"Erfc": (_complement_of_erf, [])}


@contextmanager
def _all_steps_at_once() -> Iterator[None]:
    """TimeDistributed with the steps in the batch, but for layers that read masks."""
    own = keras.layers.TimeDistributed.call

    def call(self: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if mask is not None and "mask" in signature(self.layer.call).parameters:
            return own(self, inputs, training=training, mask=mask)
        lengths = [n if n is not None else -1 for n in inputs.shape[2:]]
        if -1 in lengths:
            return own(self, inputs, training=training, mask=mask)
        found = self.layer(tf.reshape(inputs, [-1, *lengths]))
        outer = tf.concat([tf.shape(inputs)[:2], tf.shape(found)[1:]], 0)
        return tf.ensure_shape(tf.reshape(found, outer), [*inputs.shape[:2], *found.shape[1:]])

    keras.layers.TimeDistributed.call = call
    try:
        yield
    finally:
        keras.layers.TimeDistributed.call = own


@contextmanager
def _without_old_graphs() -> Iterator[None]:
    """tf2onnx copies the graph with its weights for every optimizer, in cycles that Python seldom searches.

    It does where all objects of before are left out: a full search waits for a quarter more of them.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(usual[0], usual[1], 1)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
        gc.collect()


@contextmanager
def _quiet() -> Iterator[None]:
    """What tf2onnx logs as an error and carries on with is found out afterwards."""
    logger = logging.getLogger("tf2onnx")
    before, logger.disabled = logger.disabled, True
    level = tf.get_logger().level
    tf.get_logger().setLevel("ERROR")
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(previous)
        tf.get_logger().setLevel(level)
        logger.disabled = before


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300]
