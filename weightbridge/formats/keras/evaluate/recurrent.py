"""LSTM, GRU and SimpleRNN, step by step; masked steps keep the state."""

from collections.abc import Callable
from typing import Any

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.activations import activation
from weightbridge.formats.keras.evaluate.values import Function, Given, activated
from weightbridge.model.tensors import Array

States = tuple[Array, ...]
Step = Callable[[Array, States], States]  # the new states, the output first


def recurrent(given: Given) -> Any:
    """The last output, or all of them; then the states, where they are returned."""
    step, count = _step(given)
    x, mask = given.x, given.mask
    if given.config.get("go_backwards"):
        x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
    units = given.weight("recurrent_kernel").shape[0]
    states = tuple(
        given.named.get(f"initial_state.{i}", np.zeros((x.shape[0], units), x.dtype)) for i in range(count)
    )
    outputs, states = _run(step, x, mask, states)
    found = np.stack(outputs, axis=1) if given.config.get("return_sequences") else outputs[-1]
    return [found, *states] if given.config.get("return_state") else found


def _run(step: Step, x: Array, mask: Array | None, states: States) -> tuple[list[Array], States]:
    """The output after every step, and the last states; a masked step leaves both as they are."""
    outputs = [np.zeros_like(states[0])]
    for n in range(x.shape[1]):
        after = step(x[:, n], states)
        kept = np.ones((x.shape[0], 1), bool) if mask is None else mask[:, n, np.newaxis]
        states = tuple(np.where(kept, new, old) for new, old in zip(after, states, strict=True))
        outputs.append(np.where(kept, after[0], outputs[-1]))
    return outputs[1:], states


def both_ways(given: Given) -> Array:
    """What a Bidirectional makes of its two layers, the second of which has run backwards."""
    forward, backward = given.inputs
    if forward.ndim == 3:
        backward = backward[:, ::-1]
    match given.config.get("merge_mode", "concat"):
        case "concat":
            return np.concatenate([forward, backward], axis=-1)
        case "sum":
            return forward + backward
        case "mul":
            return forward * backward
        case "ave":
            return (forward + backward) / 2
    raise RunError("both directions apart are not known here")


def _step(given: Given) -> tuple[Step, int]:
    if given.class_name.removesuffix("Cell") in ("LSTM", "CuDNNLSTM"):
        return _lstm(given), 2
    if given.class_name.removesuffix("Cell") in ("GRU", "CuDNNGRU"):
        return _gru(given), 1
    return _simple(given), 1


def _simple(given: Given) -> Step:
    kernel, recurrent_kernel = given.weight("kernel"), given.weight("recurrent_kernel")
    bias, act = given.weights.get("bias", 0.0), _function(given, "activation", "tanh")
    return lambda x, states: (act(x @ kernel + bias + states[0] @ recurrent_kernel),)


def _lstm(given: Given) -> Step:
    """Gates i f c o, Hochreiter's with a forget gate, as Keras orders them."""
    kernel, recurrent_kernel = given.weight("kernel"), given.weight("recurrent_kernel")
    bias = given.weights.get("bias", 0.0)
    act, gate = _function(given, "activation", "tanh"), _function(given, "recurrent_activation", "sigmoid")

    def step(x: Array, states: States) -> States:
        i, f, c, o = np.split(x @ kernel + states[0] @ recurrent_kernel + bias, 4, axis=-1)
        cell = gate(f) * states[1] + gate(i) * act(c)
        return gate(o) * act(cell), cell

    return step


def _gru(given: Given) -> Step:
    """Gates z r h, as Keras orders them; a bias of two rows is of one that resets after the product."""
    kernel, recurrent_kernel = given.weight("kernel"), given.weight("recurrent_kernel")
    bias = given.weights.get("bias")
    is_after = bool(given.config.get("reset_after", given.class_name == "CuDNNGRU"))
    inner: Any = 0.0 if bias is None else bias[0] if is_after else bias
    outer: Any = bias[1] if bias is not None and is_after else 0.0
    act, gate = _function(given, "activation", "tanh"), _function(given, "recurrent_activation", "sigmoid")
    units = recurrent_kernel.shape[0]

    def step(x: Array, states: States) -> States:
        (h,) = states
        fed = np.split(x @ kernel + inner, 3, axis=-1)
        gates = h @ recurrent_kernel[:, : 2 * units] + (
            outer[: 2 * units] if is_after and bias is not None else 0
        )
        z, r = (gate(a + b) for a, b in zip(fed[:2], np.split(gates, 2, axis=-1), strict=True))
        last = recurrent_kernel[:, 2 * units :]
        if is_after:
            new = act(fed[2] + r * (h @ last + (outer[2 * units :] if bias is not None else 0)))
        else:
            new = act(fed[2] + (r * h) @ last)
        return (z * h + (1 - z) * new,)

    return step


def _function(given: Given, key: str, default: str) -> Callable[[Array], Array]:
    told = activation(given.config.get(key, default))
    return lambda x: activated(x, told)


FUNCTIONS: dict[str, Function] = {
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU"), recurrent),
    **{f"{name}Cell": recurrent for name in ("LSTM", "GRU", "SimpleRNN")},
    "Bidirectional": both_ways,
}
