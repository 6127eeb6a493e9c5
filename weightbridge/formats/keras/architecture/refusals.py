"""What a Keras file must not hold to be run: code. Seen in its config, before any framework is imported."""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from weightbridge.errors import Corrupt, UnsafeContent, Unsupported
from weightbridge.formats.containers import archive, read_member
from weightbridge.formats.keras.architecture.config import parse_json

LAMBDAS = frozenset({"Lambda", "__lambda__"})
MODULES = (
    *(
        "activations",
        "constraints",
        "dtype_policies",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "models",
        "ops",
    ),
    *("optimizers", "quantizers", "random", "regularizers", "src"),
)
UNSAFE = "Build the model in Python and give it as py:package.module:callable"


def config_of(path: Path) -> Any:
    """The architecture as the file has it, still JSON-like.

    Raises Unsupported for a file of weights alone.
    """
    if zipfile.is_zipfile(path):
        with archive(path) as opened:
            return parse_json(read_member(opened, "config.json", str(path)), str(path))
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
    except OSError as error:
        raise Corrupt(
            f"the HDF5 file cannot be opened: {error}", where=str(path), fix="Get the file again"
        ) from error
    if text is None:
        raise Unsupported(
            "the file holds weights and no architecture, so it cannot be run",
            where=str(path),
            fix="Give the model that they belong to",
        )
    return parse_json(text, str(path))


def refuse_code(value: Any, where: str) -> None:
    """Raises where the config holds a Lambda, or a class that lives outside Keras: building it would run or
    import code.
    """
    for part in _parts(value):
        class_name, module = part.get("class_name"), part.get("module")
        if class_name in LAMBDAS:
            message = f"{_label(part)} is a Lambda: its code would have to be executed"
            raise UnsafeContent(message, where=where, fix=UNSAFE)
        if isinstance(module, str) and not _is_keras(module) and "class_name" in part:
            message = f"{_label(part)} needs the class {module}.{class_name}, which is not Keras's own"
            raise Unsupported(message, where=where, fix=UNSAFE)


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every object in a config, at any depth, without recursion."""
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            yield top
            stack += top.values()
        elif isinstance(top, list):
            stack += top


def _is_keras(module: str) -> bool:
    """`builtins` is where Keras says that its own functions (`relu`) live.

    It looks them up by name in a fixed list.
    """
    parts = module.split(".")
    return module in ("builtins", "keras") or (parts[0] == "keras" and len(parts) > 1 and parts[1] in MODULES)


def _label(part: Mapping[str, Any]) -> str:
    config = part.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return f"layer {name!r}" if isinstance(name, str) else "a part of the config"
