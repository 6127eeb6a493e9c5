"""A Keras callback that looks at a model before it is trained."""

import warnings
from collections.abc import Callable
from typing import Any, Protocol

import keras


class Look(Protocol):
    """What is wrong with a model; "" where nothing is."""

    def __call__(self, model: Any) -> str: ...


class BeforeTraining(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Looks once, as `fit` begins; refuses, or warns, before the first batch.

    Where training goes on from an earlier run (`initial_epoch`, BackupAndRestore), its values are another
    run's: then it warns alone. refusal: what to raise; None to warn always.
    """

    def __init__(self, look: Look, refusal: Callable[[str], Exception] | None) -> None:
        super().__init__()
        self._look, self._refusal = look, refusal
        self._wrong = ""

    def on_train_begin(self, logs: Any = None) -> None:
        self._wrong = self._look(self.model)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keras does not say before this which epoch is the first."""
        wrong, self._wrong = self._wrong, ""
        if not wrong:
            return
        if self._refusal is not None and epoch == 0:
            raise self._refusal(wrong)
        why = f"; training goes on at epoch {epoch + 1}" if epoch else ""
        warnings.warn(f"{wrong}{why}", UserWarning, stacklevel=2)
