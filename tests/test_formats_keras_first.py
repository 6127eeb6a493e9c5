"""Files of Keras 1 and of the Theano backend, read and moved into today's layout.

Gates joined, kernels turned and flipped.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy

from weightbridge import api, formats

OLD: dict[str, Any] = {"module": ""}


def _recurrent(folder: Path, op: str, gates: str) -> tuple[Path, dict[str, np.ndarray]]:
    """A recurrent layer in Keras 1's order of weights (i, c, f, o), and arrays joined in today's."""
    first = layer(
        op,
        "rec",
        output_dim=4,
        inner_activation="sigmoid",
        activation="tanh",
        batch_input_shape=[None, 5, 3],
        **OLD,
    )
    config = {"class_name": "Sequential", "config": [first, layer("Dense", "out", output_dim=2, **OLD)]}
    stored = {
        f"rec_{w}_{g}": numbers(*s, seed=ord(g))
        for g in sorted(gates)
        for w, s in (("W", (3, 4)), ("U", (4, 4)), ("b", (4,)))
    }
    joined = {
        role: np.concatenate([stored[f"rec_{w}_{g}"] for g in gates], -1)
        for w, role in (("W", "kernel"), ("U", "recurrent_kernel"), ("b", "bias"))
    }
    weights = {"rec": stored, "out": {"out_W": numbers(4, 2), "out_b": numbers(2)}}
    return write_legacy(folder / "old.h5", weights, config, version="1.2.2"), joined


@pytest.mark.parametrize(
    ("op", "gates", "options"), [("LSTM", "ifco", {}), ("GRU", "zrh", {"reset_after": False})]
)
def test_gates_are_joined_in_todays_order(
    tmp_path: Path, op: str, gates: str, options: dict[str, Any]
) -> None:
    path, joined = _recurrent(tmp_path, op, gates)
    wide = 4 * len(gates)
    groups = {
        f"layers/{op.lower()}/cell": (
            "rec",
            (numbers(3, wide, seed=9), numbers(4, wide, seed=9), numbers(wide, seed=9)),
        ),
        "layers/dense": ("out", (numbers(4, 2, seed=9), numbers(2, seed=9))),
    }
    target = sequential(
        source("x", [5, 3]),
        layer(op, "rec", units=4, activation="tanh", recurrent_activation="sigmoid", **options),
        layer("Dense", "out", units=2),
    )
    report = api.transfer(
        path, write_keras(tmp_path / "new.keras", target, groups), output=tmp_path / "out.keras", verify=False
    )
    assert report.verdict in ("pass", "warn")
    written = {t.name: t.load() for t in formats.read(tmp_path / "out.keras").tensors}
    assert all(np.array_equal(written[f"rec/{role}"], value) for role, value in joined.items())
    assert np.array_equal(written["out/kernel"], numbers(4, 2))


@pytest.mark.parametrize("theano", [True, False], ids=["theano", "tensorflow"])
@pytest.mark.parametrize("square", [True, False])
def test_kernels_are_turned_and_flipped(tmp_path: Path, theano: bool, square: bool) -> None:
    channels, colon = (3 if square else 5), "" if theano else ":0"
    kernel = numbers(channels, 3, 3, 3)
    config = {
        "class_name": "Sequential",
        "config": [
            layer(
                "Convolution2D",
                "conv",
                nb_filter=channels,
                nb_row=3,
                nb_col=3,
                dim_ordering="th",
                border_mode="valid",
                subsample=[1, 1],
                batch_input_shape=[None, 3, 8, 8],
                **OLD,
            )
        ],
    }
    weights = {"conv": {f"conv_W{colon}": kernel, f"conv_b{colon}": numbers(channels)}}
    path = write_legacy(tmp_path / "old.h5", weights, config, version="1.1.0")
    target = sequential(
        source("x", [3, 8, 8]),
        layer("Conv2D", "conv", filters=channels, kernel_size=[3, 3], data_format="channels_first"),
    )
    groups = {"layers/conv2d": ("conv", (numbers(3, 3, 3, channels, seed=9), numbers(channels, seed=9)))}
    api.transfer(
        path,
        write_keras(tmp_path / "new.keras", target, groups),
        output=tmp_path / "out.keras",
        verify=False,
        fail_on="never",
    )
    written = {t.name: t.load() for t in formats.read(tmp_path / "out.keras").tensors}
    expected = kernel.transpose(2, 3, 1, 0)
    assert np.array_equal(written["conv/kernel"], expected[::-1, ::-1] if theano else expected)
