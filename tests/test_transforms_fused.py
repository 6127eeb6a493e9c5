"""The values of the transforms that cut fused matrices, join parts and stack experts."""

from typing import Any

import numpy as np
import pytest

from weightbridge.transforms import apply

FUSED = np.arange(12).reshape(
    6, 2
)  # rows 0-1, 2-3, 4-5: three parts of two heads, or two heads of three parts
GATE, UP = np.arange(6).reshape(2, 3), np.arange(6, 12).reshape(2, 3)
CASES: dict[str, tuple[str, dict[str, Any], list[Any], Any]] = {
    "slice": ("slice", {"axis": 0, "start": 2, "stop": 4}, [FUSED], FUSED[2:4]),
    "slice-turned": (
        "slice",
        {"axis": 0, "start": 2, "stop": 4, "pattern": "o i -> i o"},
        [FUSED],
        FUSED[2:4].T,
    ),
    "slice-by-head": (
        "slice",
        {"axis": 0, "start": 2, "stop": 4, "before": "(a b c) i -> (b a c) i", "a": 2, "b": 3, "c": 1},
        [FUSED],
        FUSED[[1, 4]],
    ),
    "slice-of-groups": ("slice", {"axis": 0, "groups": 2, "start": 1, "stop": 2}, [FUSED], FUSED[[1, 4]]),
    "fuse": (
        "fuse",
        {"axis": 0, "parts": [{"pattern": ""}, {"pattern": ""}]},
        [GATE, UP],
        np.concatenate([GATE, UP]),
    ),
    "fuse-turned": (
        "fuse",
        {"axis": 1, "parts": [{"pattern": "o i -> i o"}] * 2},
        [GATE, UP],
        np.concatenate([GATE.T, UP.T], 1),
    ),
    "stack": ("stack", {"pattern": "o i -> i o", "parts": 1}, [GATE, UP], np.stack([GATE.T, UP.T])),
    "stack-of-two": (
        "stack",
        {"pattern": "", "parts": 2},
        [GATE, UP, UP, GATE],
        np.stack([np.hstack([GATE, UP]), np.hstack([UP, GATE])]),
    ),
    "select-of-two": (
        "select",
        {
            "index": 1,
            "inner": "slice",
            "parameters": {"axis": 1, "start": 3, "stop": 6, "pattern": "i o -> o i"},
        },
        [np.stack([np.hstack([GATE, UP]), np.hstack([UP, GATE])])],
        GATE.T,
    ),
    "scalar": ("", {}, [np.float32(3)], np.float32(3)),
}


@pytest.mark.parametrize(("transform", "parameters", "arrays", "expected"), CASES.values(), ids=CASES)
def test_values(transform: str, parameters: dict[str, Any], arrays: list[Any], expected: Any) -> None:
    found = apply(transform, parameters, arrays)
    assert np.array_equal(found, expected)
    assert found.shape == expected.shape


def test_heads_are_not_cut_part_by_part() -> None:
    _, parameters, arrays, expected = CASES["slice-by-head"]
    plain = {k: v for k, v in parameters.items() if k != "before"}
    assert not np.array_equal(apply("slice", plain, arrays), expected)
