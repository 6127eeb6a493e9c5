"""Frameworks are imported late, here; a missing one is said with the variable that chooses it."""

import os
import sys
from importlib import import_module
from types import ModuleType

from weightbridge.boundary.garbage import collect_as_usual
from weightbridge.errors import UsageError

BACKEND = "KERAS_BACKEND"
BACKENDS = ("tensorflow", "torch", "jax")
OWN = "weightbridge"
CYCLIC = frozenset({"keras", "tensorflow", "tf_keras", "torch"})


def framework_module(name: str) -> ModuleType:
    """A module of ours that may need a framework. UsageError if that is missing or KERAS_BACKEND wrong.

    From a framework on there is garbage in cycles, and large: a model of one is one, with all its weights.
    """
    module = _imported(name)
    if not sys.modules.keys().isdisjoint(CYCLIC):
        collect_as_usual()
    return module


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] == OWN:
            raise
        raise _missing(name, error) from error
    except ValueError as error:  # Keras says so of a backend that it does not know
        if "backend" not in str(error):
            raise
        raise _unknown(error) from error


def _missing(name: str, error: ImportError) -> UsageError:
    """Keras itself, the backend that was asked for, or what runs ONNX."""
    missing = (error.name or "").partition(".")[0]
    if missing == "onnxruntime":
        fix = 'Install the extra: pip install "weightbridge-toolkit[onnxruntime]", or give --no-verify'
        return UsageError("ONNX models are run by onnxruntime, which is not installed", fix=fix)
    if name == f"{OWN}.formats.tflite.running":
        fix = 'Install ai-edge-litert, or the extra: pip install "weightbridge-toolkit[tensorflow]"'
        return UsageError("TFLite models are run by TensorFlow or LiteRT, and neither is installed", fix=fix)
    if missing == "keras":
        fix = 'Install the extra: pip install "weightbridge-toolkit[tensorflow]", or give --no-verify'
        return UsageError("Keras models are run by Keras, which is not installed", fix=fix)
    if not name.startswith(f"{OWN}.formats.keras"):
        return UsageError(f"{missing or 'a module'} cannot be imported: {error}", fix=f"Install {missing}")
    fix = f"Install {missing or 'it'}, or set {BACKEND} to one of {', '.join(BACKENDS)} that is installed"
    return UsageError(f"{BACKEND} is {_chosen()}, which cannot be imported: {error}", fix=fix)


def _unknown(error: ValueError) -> UsageError:
    fix = f"Set {BACKEND} to one of {', '.join(BACKENDS)}, or take it away"
    return UsageError(f"{BACKEND} is {_chosen()}, which Keras does not know ({error})", fix=fix)


def _chosen() -> str:
    """What the variable holds; without it Keras goes by its own settings, and else takes TensorFlow."""
    return repr(os.environ[BACKEND]) if os.environ.get(BACKEND) else "not set (Keras then takes tensorflow)"
