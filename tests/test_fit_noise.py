"""--calibrate noise: inputs from nothing, in the source's range."""

import numpy as np
import pytest

from weightbridge.commands.fits.calibration import fit_inputs
from weightbridge.commands.fits.noise import in_range, noise
from weightbridge.errors import UsageError
from weightbridge.formats.flow import Node
from weightbridge.formats.running import InputSpec
from weightbridge.model.tensors import Array

IMAGE = InputSpec("image", (None, 8, 8, 1), "float32")


class Recorded:
    """A source whose first layer is a BatchNorm that has seen inputs of this mean and deviation."""

    where = "source"
    nodes = (
        Node("image", "input", (), (8, 8, 1)),
        Node("norm", "batchnorm", (0,), (8, 8, 1), roles=("moving_mean", "moving_variance")),
    )

    def __init__(self, mean: float, deviation: float) -> None:
        self.known = {"moving_mean": np.array([mean]), "moving_variance": np.array([deviation**2])}

    def run(self, node: int, arrays: list[Array]) -> Array:
        return arrays[0]

    def weights(self, node: int) -> dict[str, Array]:
        return self.known


def test_noise_is_the_same_every_time_and_smooth() -> None:
    first, again = noise(IMAGE), noise(IMAGE)
    assert np.array_equal(first, again)
    assert first.shape == (400, 8, 8, 1)
    assert abs(first.mean()) < 0.05
    assert 0.9 < first.std() < 1.1
    steps = np.diff(first, axis=1).var(axis=(1, 2, 3))
    assert np.quantile(steps, 0.2) < 0.5 < 1.5 < np.quantile(steps, 0.9), "fine and coarse ones"
    found = fit_inputs("noise", [IMAGE])
    assert found.is_noise
    assert found.sha256 == fit_inputs("noise", [IMAGE]).sha256


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.52, 0.27), (120.0, 60.0)])
def test_its_range_is_what_the_source_recorded(mean: float, deviation: float) -> None:
    x = in_range(Recorded(mean, deviation), noise(IMAGE))  # type: ignore[arg-type]  # what it asks for
    assert x.mean() == pytest.approx(mean, abs=0.15 * deviation + 0.1)
    assert x.std() == pytest.approx(deviation, rel=0.2)


@pytest.mark.parametrize(
    "spec", [InputSpec("ids", (None, 8), "int32"), InputSpec("image", (None, None, None, 3), "float32")]
)
def test_no_noise_for_words_and_unknown_sizes(spec: InputSpec) -> None:
    with pytest.raises(UsageError, match="floats of known size"):
        noise(spec)
