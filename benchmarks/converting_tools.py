"""One conversion by one tool, as its documentation says; run in the environment of that tool.

python converting_tools.py TOOL SOURCE OUTPUT
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def weightbridge(source: str, output: str) -> None:
    """Without its verification, as no other tool has one."""
    from weightbridge.cli import main

    main(["convert", source, output, "--no-verify", "--quiet"])


def onnx2keras(source: str, output: str) -> None:
    import onnx
    from onnx2keras import onnx_to_keras

    model = onnx.load(source)
    constants = {one.name for one in model.graph.initializer}
    inputs = [one.name for one in model.graph.input if one.name not in constants]
    shapes = [_shape(one) for one in model.graph.input if one.name in inputs]
    onnx_to_keras(model, inputs, shapes, verbose=False, change_ordering=True).save(output)


def _shape(given: Any) -> tuple[int | None, ...]:
    dims = given.type.tensor_type.shape.dim
    return tuple(dim.dim_value or None for dim in dims)[1:]


def onnx2tf(source: str, output: str) -> None:
    """A Keras file where it writes one, and its SavedModel beside it."""
    from onnx2tf import convert

    with TemporaryDirectory() as folder:
        convert(source, output_folder_path=folder, output_keras_v3=True, non_verbose=True)
        files = sorted(Path(folder).glob("*.keras"))
        if files:
            shutil.copyfile(files[0], output)
        if (Path(folder) / "saved_model.pb").exists():
            shutil.copytree(folder, f"{output}.saved_model")


def keras(source: str, output: str) -> None:
    """What Keras itself has for it: its export, or its reader of old files."""
    import keras as framework
    import numpy as np

    model = framework.models.load_model(source)
    if output.endswith(".onnx"):
        zeros = [np.zeros([n or 2 for n in one.shape], one.dtype) for one in model.inputs]
        model(zeros if len(zeros) > 1 else zeros[0])  # it exports no model that was never called
        model.export(output, format="onnx", verbose=False)
    else:
        model.save(output)


def tf_keras(source: str, output: str) -> None:
    import tf_keras as framework

    framework.models.load_model(source, compile=False).save(output)


def tf2onnx(source: str, output: str) -> None:
    import keras as framework
    import tensorflow as tf
    from tf2onnx.convert import from_function

    model = framework.models.load_model(source)
    specs = [tf.TensorSpec(one.shape, one.dtype, name=f"input_{n}") for n, one in enumerate(model.inputs)]
    function = tf.function(lambda *given: model(list(given) if len(given) > 1 else given[0]), specs)
    from_function(function, specs, output_path=output)


TOOLS = {
    "weightbridge": weightbridge,
    "onnx2keras": onnx2keras,
    "onnx2tf": onnx2tf,
    "tf2onnx": tf2onnx,
    "Keras": keras,
    "tf_keras": tf_keras,
}

if __name__ == "__main__":
    TOOLS[sys.argv[1]](*sys.argv[2:])
