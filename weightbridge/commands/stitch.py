"""stitch: the trunk of one trained model under the tail of another, joined by a trainable adapter."""

from pathlib import Path
from typing import Any

from weightbridge.commands.features import live_model
from weightbridge.errors import UsageError
from weightbridge.formats.frameworks import framework_module
from weightbridge.transfer.stage import check_output, publish, staged


def stitch(
    source: Any,
    at: str,
    target: Any,
    from_: str,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> Any:
    """A functional Keras model: `source` up to layer `at`, a fitting adapter, `target` from `from_` on.

    source, target: a path, `py:package.module:callable`, or a live keras.Model (which is copied, never
    changed). The adapter's layers are called `stitch_...`: average pooling, upsampling or bilinear resizing
    for the grid; a 1x1 convolution or Dense layer for the channels, initialised like an identity that
    preserves variance. Feature maps, sequences and vectors may meet in any combination.

    output: where to save the model as `.keras`; `keras.models.load_model` opens it without weightbridge.

    Raises UsageError where a layer does not exist or cannot be cut at, and for an `output` that exists
    (unless `overwrite`) or is no `.keras`; ModelError where a model cannot be read, OutputError where
    `output` cannot be written.

    >>> model = stitch("backbone.keras", "conv4_block6_out", "detector.keras", "mixed8")  # doctest: +SKIP
    """
    if output is not None:
        _check(Path(output), overwrite, (source, target))
    keras_stitch = framework_module("weightbridge.formats.keras.framework.stitch")
    model = keras_stitch.stitched(live_model(source), str(at), live_model(target), str(from_))
    if output is not None:
        with staged(Path(output)) as temporary:
            framework_module("weightbridge.formats.keras.framework.live").save(model, temporary)
            publish(temporary, Path(output))
    return model


def _check(output: Path, overwrite: bool, models: tuple[Any, ...]) -> None:
    """Before the work begins."""
    check_output(output, overwrite, models)
    if output.suffix != ".keras":
        raise UsageError(
            "a stitched model is saved as .keras",
            where=str(output),
            fix="give output a name that ends in .keras",
        )
