"""BatchNorms of other epsilon: WB403 says a difference exactly where no step makes up for it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from weightbridge.boundary.options import Options
from weightbridge.matching.match import match
from weightbridge.matching.values import Matching
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.transforms import apply

ROLES = {
    "keras": {r: r for r in ("gamma", "beta", "moving_mean", "moving_variance")},
    "onnx": {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
}
STEP = "batchnorm-gamma"
DIRECTIONS = list(product(ROLES, ROLES))


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def tensor(framework: str, layer: str, role: str, shape: tuple[int, ...]) -> Tensor:
    separator = "/" if framework == "keras" else "."
    name = f"{layer}{separator}{ROLES[framework].get(role, role)}"
    return Tensor(name, role, shape, "float32", name, refuse)


def graph(framework: str, epsilon: float, roles: tuple[str, ...] = tuple(ROLES["keras"])) -> LayerGraph:
    """x -> a convolution -> a BatchNorm."""
    shape = (3, 3, 3, 8) if framework == "keras" else (8, 3, 3, 3)
    kernel = tensor(framework, "conv", "kernel", shape)
    norms = tuple(tensor(framework, "bn", role, (8,)) for role in roles)
    layers = (
        Layer("x", "Input", "Input", {}, ()),
        Layer("conv", "Conv", "Conv", {"kernel_size": (3, 3)}, (kernel,)),
        Layer("bn", "BatchNorm", "BatchNorm", {"epsilon": epsilon}, norms),
    )
    edges = (Edge("x", "conv"), Edge("conv", "bn"))
    return LayerGraph(f"model.{framework}", framework, framework, "", layers, edges)


def said(matching: Matching) -> list[str]:
    return [f.target for f in matching.findings if f.code == "WB403"]


def step_of_gamma(matching: Matching, framework: str) -> str:
    name = tensor(framework, "bn", "gamma", (8,)).name
    return next(m.transform for m in matching.matches if m.target == name)


@pytest.mark.parametrize(("source", "target"), DIRECTIONS)
def test_what_the_plan_makes_equal_is_not_said_to_differ(source: str, target: str) -> None:
    found = match(graph(source, 1e-3), graph(target, 1e-5), Options())
    assert (said(found), step_of_gamma(found, target)) == ([], STEP)


@pytest.mark.parametrize(("source", "target"), DIRECTIONS)
def test_what_the_plan_leaves_is_said_to_differ(source: str, target: str) -> None:
    found = match(graph(source, 1e-3), graph(target, 1e-5), Options(adapt="none"))
    assert (said(found), step_of_gamma(found, target)) == (["bn"], "")


@pytest.mark.parametrize("target", ROLES)
def test_without_a_gamma_the_variance_makes_up_for_a_smaller_epsilon(target: str) -> None:
    roles = ("beta", "moving_mean", "moving_variance")
    found = match(graph("keras", 1e-3, roles), graph(target, 1e-5, roles), Options())
    name = tensor(target, "bn", "moving_variance", (8,)).name
    (of_variance,) = (m for m in found.matches if m.target == name)
    assert (said(found), of_variance.transform) == ([], "batchnorm-variance")
    values = [np.full(8, 0.5, "f4")]
    assert np.allclose(apply(of_variance.transform, of_variance.parameters, values), 0.5 + 1e-3 - 1e-5)


@pytest.mark.parametrize("target", ROLES)
def test_without_a_gamma_nothing_makes_up_for_a_larger_epsilon(target: str) -> None:
    roles = ("beta", "moving_mean", "moving_variance")
    found = match(graph("keras", 1e-5, roles), graph(target, 1e-3, roles), Options())
    assert said(found) == ["bn"]


@pytest.mark.parametrize("target", ROLES)
@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_a_norm_told_to_have_no_scale_and_centre_goes_into_one_that_has_them(
    target: str, epsilon: float
) -> None:
    """A scale of one and a centre of zero, or what makes up for another epsilon."""
    without = graph("keras", 1e-3, ("moving_mean", "moving_variance"))
    *others, norm = without.layers
    bare = replace(norm, attributes={**norm.attributes, "scale": False, "center": False})
    whole = graph(target, epsilon)
    *rest, last = whole.layers
    full = replace(last, attributes={**last.attributes, "scale": True, "center": True})
    found = match(replace(without, layers=(*others, bare)), replace(whole, layers=(*rest, full)), Options())
    arrays = [np.full(8, 0.5, "f4")]
    expected = {"gamma": np.sqrt((0.5 + epsilon) / (0.5 + 1e-3)), "beta": 0.0}
    for role, value in expected.items():
        name = tensor(target, "bn", role, (8,)).name
        (filled,) = (m for m in found.matches if m.target == name)
        got = apply(filled.transform, filled.parameters, arrays[: len(filled.sources)])
        assert np.allclose(got, value)
    assert said(found) == []


@pytest.mark.parametrize("target", ROLES)
def test_a_scale_that_a_file_merely_lacks_is_not_made_up(target: str) -> None:
    found = match(graph("keras", 1e-3, ("moving_mean", "moving_variance")), graph(target, 1e-3), Options())
    assert not [m for m in found.matches if m.transform == "constant"]


@pytest.mark.parametrize("target", ROLES)
def test_a_map_that_names_the_tensors_leaves_the_step_in_place(target: str) -> None:
    mapped = tuple(
        (f"bn/{role}", tensor(target, "bn", role, (8,)).name) for role in ("gamma", "moving_variance")
    )
    found = match(graph("keras", 1e-3), graph(target, 1e-5), Options(map=mapped))
    assert (said(found), step_of_gamma(found, target)) == ([], STEP)
