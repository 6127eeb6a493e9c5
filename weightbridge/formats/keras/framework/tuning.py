"""Callbacks for fine-tuning: unfreezing by the validation metric, rates by group, a pull to the start."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from weightbridge.errors import UsageError
from weightbridge.formats.keras.framework.backends import as_array
from weightbridge.formats.keras.framework.walk import live_layers
from weightbridge.model.tensors import Array

Groups = Sequence[Sequence[str]]
Mode = Literal["auto", "min", "max"]
LOWER = ("loss", "error")


def layers_of(model: Any, groups: Groups) -> list[list[Any]]:
    """The layers of each group. Raises UsageError for a name that the model has not."""
    known = {one.name: one.layer for one in live_layers(model)}
    missing = [name for group in groups for name in group if name not in known]
    if missing:
        message = f"the model has no layer {missing[0]!r} ({len(missing)} of the groups' layers)"
        raise UsageError(message, fix="Make the groups for this model: weightbridge.advise(model, data=...)")
    return [[known[name] for name in group] for group in groups]


class Unfreezing(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Trains the last group alone, and adds the one below whenever the metric stops improving.

    The optimizer starts anew with each group, at its learning rate then: it has never seen these variables.
    """

    def __init__(self, groups: Groups, monitor: str, patience: int, min_delta: float, mode: Mode) -> None:
        super().__init__()
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.unfrozen: list[tuple[int, int]] = []  # (epoch, groups that are trained from it on)
        self._groups = groups
        is_lower = mode == "min" or (mode == "auto" and monitor.endswith(LOWER))
        self._sign = -1.0 if is_lower else 1.0
        self._best, self._waited, self._trained = -np.inf, 0, 1

    def on_train_begin(self, logs: Any = None) -> None:
        self._layers = layers_of(self.model, self._groups)
        self._best, self._waited, self._trained = -np.inf, 0, 1
        self.unfrozen = [(0, 1)]
        self._apply()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{self.monitor} is not among {sorted(logs or {})}: no group is unfrozen", stacklevel=2
            )
            return
        if self._sign * value > self._best + self.min_delta:
            self._best, self._waited = self._sign * value, 0
            return
        self._waited += 1
        if self._waited >= self.patience and self._trained < len(self._layers):
            self._trained, self._waited = self._trained + 1, 0
            self.unfrozen.append((epoch + 1, self._trained))
            self._apply()

    def _apply(self) -> None:
        _sync(self.model)
        for n, group in enumerate(self._layers):
            for layer in group:
                layer.trainable = n >= len(self._layers) - self._trained
        _restart(self.model)


def _sync(model: Any) -> None:
    """With jax the variables do not hold what is trained until they are asked to."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def _restart(model: Any) -> None:
    """An optimizer for the variables that are trained now, and a training step that knows them.

    It counts its steps from none: Adam divides its moments, which are zero again, by what so many steps would
    have made of them, and would begin with steps several times the learning rate.
    """
    before = model.optimizer
    after = type(before).from_config(before.get_config())
    after.build(model.trainable_variables)
    schedule = getattr(before, "_learning_rate", None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        after.learning_rate = Later(schedule, int(as_array(before.iterations)))
    else:
        after.learning_rate = float(as_array(before.learning_rate))
    model.optimizer = after
    model.make_train_function(force=True)
    if hasattr(model, "_jax_state_synced"):
        model._jax_state_synced = True


@keras.saving.register_keras_serializable(package="weightbridge")
class Later(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A schedule from a later step on: what an optimizer goes on with that follows another."""

    def __init__(self, schedule: Any, steps: int) -> None:
        self.schedule, self.steps = schedule, steps

    def __call__(self, step: Any) -> Any:
        return self.schedule(step + self.steps)

    def get_config(self) -> dict[str, Any]:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Later":
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["steps"])


class Rates(keras.callbacks.Callback):  # type: ignore[misc]
    """Steps of each group times its rate: what the optimizer moved a variable by is scaled after each batch.

    Exact for every optimizer whose steps are proportional to the learning rate, whatever else it keeps.
    """

    def __init__(self, groups: Groups, rates: Sequence[float]) -> None:
        super().__init__()
        self._groups, self._rates = groups, rates
        self._before: list[tuple[Any, float, Array]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._layers = layers_of(self.model, self._groups)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        _sync(self.model)
        self._before = [(v, rate, np.array(as_array(v.value))) for v, rate in self._variables()]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        _sync(self.model)
        for variable, rate, before in self._before:
            after = as_array(variable.value)
            variable.assign((before + rate * (after - before)).astype(before.dtype))

    def _variables(self) -> Iterable[tuple[Any, float]]:
        for layers, rate in zip(self._layers, self._rates, strict=True):
            if rate != 1:
                yield from ((v, rate) for layer in layers for v in layer.trainable_variables)


class Pull:
    """strength / 2 times the squared distance from where a variable started, beside its own regularizer."""

    def __init__(self, strength: float, start: Any, own: Any) -> None:
        self.strength, self.start, self.own = strength, start, own

    def __call__(self, variable: Any) -> Any:
        start = keras.ops.convert_to_tensor(self.start, dtype=variable.dtype)
        pulled = 0.5 * self.strength * keras.ops.sum(keras.ops.square(variable - start))
        return pulled if self.own is None else pulled + self.own(variable)


class PullToStart(keras.callbacks.Callback):  # type: ignore[misc]
    """While it trains, all groups but the last are pulled to where they start, the last to zero."""

    def __init__(self, groups: Groups, strength: float, head_strength: float) -> None:
        super().__init__()
        self._groups, self._strength, self._head = groups, strength, head_strength
        self._own: list[tuple[Any, Any]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        *below, head = layers_of(self.model, self._groups)
        for variable in (v for group in below for v in _weights(group)):
            self._pull(variable, self._strength, np.array(as_array(variable.value)))
        for variable in _weights(head):
            self._pull(variable, self._head, np.zeros(tuple(variable.shape), "float32"))
        self.model.make_train_function(force=True)

    def _pull(self, variable: Any, strength: float, start: Array) -> None:
        self._own.append((variable, variable.regularizer))
        variable.regularizer = Pull(strength, start, variable.regularizer)

    def on_train_end(self, logs: Any = None) -> None:
        for variable, own in self._own:
            variable.regularizer = own
        self._own = []
        self.model.make_train_function(force=True)


def _weights(layers: Iterable[Any]) -> list[Any]:
    """All weights that training may move; those of frozen layers too, for they may be unfrozen later."""
    return [w for layer in layers for w in layer.weights if w.trainable or not _is_statistic(w)]


def _is_statistic(weight: Any) -> bool:
    return weight.path.rpartition("/")[2].startswith(("moving_", "renorm_")) or "seed" in weight.path
