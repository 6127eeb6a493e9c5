"""convert: every rule for older Keras has a file that needs it, and what is written computes the same."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import branched_models
import dialect_models
import first_models
import numpy as np
import pytest
from test_convert import CONVERTED, KERAS_2, converted

from weightbridge import formats
from weightbridge.converting import lowered
from weightbridge.formats.keras.evaluate.runner import Evaluator, runner
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array
from weightbridge.rules.dialects import Dialect, dialects, lowerings

Make = Callable[[Path], Path]
WRITTEN: Mapping[str, Make] = {
    **{name: lambda path, name=name: first_models.write_first(path, name) for name in first_models.CASES},
    **{
        name: lambda path, name=name: branched_models.write_case(path, name) for name in branched_models.CASES
    },
    **{
        name: lambda path, case=case: first_models.write_parts(path, case)
        for name, case in dialect_models.SEQUENTIAL.items()
    },
    **dialect_models.WRITTEN,
}
RULES = (*dialects(), *lowerings())


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is said of each example: the causes of the rules that it needs."""
    folder = tmp_path_factory.mktemp("old")
    files = {name: make(folder / f"{name}.h5") for name, make in WRITTEN.items()}
    graphs = {name: formats.read(path) for name, path in files.items()}
    graphs |= {name: formats.read(KERAS_2 / name) for name in CONVERTED}  # which others compare with tf_keras
    return {name: _said(graph) for name, graph in graphs.items()}


def _said(graph: LayerGraph) -> list[str]:
    return [*(finding.message for finding in graph.findings), *lowered(graph).rewritten]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_an_example_that_is_converted(rule: Dialect, said: dict[str, list[str]]) -> None:
    examples = [name for name, texts in said.items() if any(text.startswith(rule.cause) for text in texts)]
    assert examples, f"no file in tests/first_models.py or dialect_models.py needs the rule {rule.id}"


@pytest.mark.parametrize(("suffix", "code"), [(".keras", "WB110"), (".onnx", "WB102")])
def test_the_slope_of_hard_sigmoid_is_said_once(suffix: str, code: str, tmp_path: Path) -> None:
    """Where it is scaled, by what was written; else by what was read."""
    _, report = converted(KERAS_2 / "hard_sigmoid.h5", tmp_path / f"new{suffix}", "--no-verify")
    said = [finding for finding in report["findings"] if "hard_sigmoid had the slope" in finding["message"]]
    assert [(finding["code"], finding["severity"]) for finding in said] == [(code, "note")]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_computes_the_same(name: str, tmp_path: Path) -> None:
    """By our own evaluator, in float64: of the old file, and of the new one."""
    source, output = WRITTEN[name](tmp_path / "old.h5"), tmp_path / "new.keras"
    code, report = converted(source, output, "--no-verify")
    assert (code, report["coverage"]["fraction"]) in ((0, 1.0), (0, 0.0)), report["findings"]
    old, new = (runner(formats.read(path), "float64") for path in (source, output))
    feeds = _drawn(old)
    expected = old.run(_fed(old, feeds))
    got = new.run(_fed(new, feeds))
    assert len(got) == len(expected)
    for one, other in zip(expected.values(), got.values(), strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-6 * np.abs(one).max() + 1e-12
        assert np.abs(one).max() > 0


@pytest.mark.framework
@pytest.mark.parametrize("name", sorted(WRITTEN.keys() - {"images"}))
def test_what_is_written_as_onnx_computes_the_same(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    source, output = WRITTEN[name](tmp_path / "old.h5"), tmp_path / "new.onnx"
    assert converted(source, output, "--no-verify")[0] == 0
    old, session = runner(formats.read(source), "float64"), runtime.InferenceSession(output)
    feeds = _fed(old, _drawn(old))
    dtypes = {info.name: "i4" if "int32" in info.type else "f4" for info in session.get_inputs()}
    given = {key: x.astype(dtypes[key]) for key, x in feeds.items()}
    for one, other in zip(old.run(feeds).values(), session.run(None, given), strict=True):
        assert np.abs(one - other).max() <= 1e-5 * np.abs(one).max()


def _drawn(model: Evaluator) -> list[Array]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=[2, *map(_length, spec.shape[1:])]) for spec in model.inputs]


def _length(size: int | None) -> int:
    return 5 if size is None else size


def _fed(model: Evaluator, feeds: Sequence[Array]) -> dict[str, Array]:
    return {
        spec.name: (abs(x) * 3).astype("int32") % spec.vocabulary if spec.vocabulary else x
        for spec, x in zip(model.inputs, feeds, strict=True)
    }
