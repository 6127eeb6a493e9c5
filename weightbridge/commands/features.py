"""Feature extraction: a Keras model cut at a named layer, saved as an ordinary model."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from weightbridge.errors import Unsupported
from weightbridge.formats import sniff
from weightbridge.transfer.write import check_output, publish, staged

RUNNABLE = ("keras-zip", "keras-h5")
SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5")


def features(
    model: Any,
    layer: str,
    output: str | Path,
    arguments: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> Any:
    """Write the part of `model` (a path, `py:module:callable`, or a live model) up to `layer` to `output`,
    and return it.

    The file is an ordinary `.keras` or `.h5` model that Keras opens with no weightbridge installed, and
    appears whole or not at all.
    Raises UsageError for a layer that is not there (with the names nearest to it) and for an `output` that
    exists, unless `overwrite`;
    Unsupported for what has no graph; OutputError where `output` cannot be written.
    """
    check_features_output(Path(output), overwrite, model)
    return write_features(model, layer, Path(output), arguments)


def check_features_output(output: Path, overwrite: bool, model: Any) -> None:
    """Raises UsageError or OutputError before the work begins."""
    check_output(output, overwrite, (model,), SUFFIXES)


def write_features(model: Any, layer: str, output: Path, arguments: Mapping[str, Any] | None = None) -> Any:
    """The same as `features`, for an output that has been checked."""
    live = import_module(
        "weightbridge.formats.keras.framework.live"
    )  # a framework, loaded when there is something to cut
    cut = import_module("weightbridge.formats.keras.framework.cut").cut(
        live_model(model, arguments), str(layer), _where(model)
    )
    with staged(output) as temporary:
        live.save(cut, temporary)
        publish(temporary, output)
    return cut


def live_model(model: Any, arguments: Mapping[str, Any] | None = None) -> Any:
    """The Keras model of a path, `py:module:callable`, or the model itself. Raises Unsupported for a file
    that is no Keras model.
    """
    if isinstance(model, str) and model.startswith("py:"):
        return import_module("weightbridge.formats.keras.framework.live").load_callable(
            model, dict(arguments or {})
        )
    if not isinstance(model, str | Path):
        return model
    format = sniff(Path(model))
    if format not in RUNNABLE:
        message = f"a {format} file cannot be cut: only Keras models with their architecture can"
        raise Unsupported(
            message,
            where=str(model),
            fix="Transfer its weights into a Keras model (weightbridge transfer), and cut that",
        )
    return import_module("weightbridge.formats.keras.framework.load").load(Path(model))


def _where(model: Any) -> str:
    return str(model) if isinstance(model, str | Path) else str(getattr(model, "name", "model"))
