"""Rows that stand for words: vocabularies are read, compared, and rows moved to their words on request."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy

from weightbridge import api, formats
from weightbridge.errors import Corrupt
from weightbridge.formats.keras.variables.vocabularies import members_of

HERE, THERE = ("red", "green", "blue"), ("blue", "red", "green")
FOLDER = {"TextVectorization": "text_vectorization", "StringLookup": "string_lookup"}


def words_file(
    path: Path,
    words: Sequence[Any],
    *,
    class_name: str = "StringLookup",
    assets: bool = False,
    **options: Any,
) -> Path:
    """A lookup with these words, an Embedding of a row for each, and a Dense."""
    marks = 2 if class_name == "TextVectorization" else options.get("num_oov_indices", 1)
    told = {} if assets else {"vocabulary": list(words)}
    lookup = layer(class_name, "words", **told, **options)
    rows = len(words) + marks
    table, top = layer("Embedding", "table", input_dim=rows, output_dim=4), layer("Dense", "top", units=2)
    config = sequential(source("x", [1], dtype="string"), lookup, table, top)
    groups = {
        "layers/embedding": ("", (numbers(rows, 4, seed=len(str(path))),)),
        "layers/dense": ("", (numbers(4, 2), numbers(2))),
    }
    write_keras(path, config, groups)
    if assets:
        first = ["", "[UNK]"] if class_name == "TextVectorization" else ["[UNK]"] * marks
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(
                f"assets/layers/{FOLDER[class_name]}/vocabulary.txt", "\n".join([*first, *words])
            )
    return path


def table_of(path: Path) -> np.ndarray:
    return formats.read(path).tensor_by_name["table/embeddings"].load()


@pytest.mark.parametrize("assets", [True, False], ids=["assets", "config"])
@pytest.mark.parametrize("class_name", list(FOLDER))
def test_words_are_read(tmp_path: Path, class_name: str, assets: bool) -> None:
    graph = formats.read(words_file(tmp_path / "m.keras", HERE, class_name=class_name, assets=assets))
    first = ("", "[UNK]") if class_name == "TextVectorization" else ("[UNK]",)
    assert graph.by_name["words"].details["vocabulary"] == (*first, *HERE)


def test_other_words_are_other_structures(tmp_path: Path) -> None:
    one, other = (words_file(tmp_path / f"{w[0]}.keras", w, assets=True) for w in (HERE, THERE))
    assert formats.read(one).structure != formats.read(other).structure


@pytest.mark.parametrize("assets", [True, False], ids=["assets", "config"])
@pytest.mark.parametrize("class_name", list(FOLDER))
def test_other_words_are_an_error(tmp_path: Path, class_name: str, assets: bool) -> None:
    given = words_file(tmp_path / "a.keras", HERE, class_name=class_name)
    for words, expected in ((THERE, ["WB404"]), (HERE, [])):
        target = words_file(tmp_path / "b.keras", words, class_name=class_name, assets=assets)
        report = api.check(given, target)
        assert [f.code for f in report.findings] == expected
        assert {
            s.confidence > 0.9 for s in api.plan(given, target).steps if s.target == "table/embeddings"
        } == {not expected}


@pytest.mark.parametrize("class_name", list(FOLDER))
def test_rows_follow_their_words_on_request(tmp_path: Path, class_name: str) -> None:
    given = words_file(tmp_path / "a.keras", HERE, class_name=class_name)
    target = words_file(tmp_path / "bcd.keras", THERE, class_name=class_name, assets=True)
    report = api.transfer(given, target, output=tmp_path / "out.keras", map_words=True, verify=False)
    assert [f.code for f in report.findings] == ["WB210"]
    before, after = table_of(given), table_of(tmp_path / "out.keras")
    marks = len(before) - len(HERE)
    assert np.array_equal(after[:marks], before[:marks])
    for n, word in enumerate(THERE):
        assert np.array_equal(after[marks + n], before[marks + HERE.index(word)])


def test_new_words_have_the_row_of_unknown_ones(tmp_path: Path) -> None:
    given = words_file(tmp_path / "a.keras", HERE)
    target = words_file(tmp_path / "bcd.keras", ("violet", "green", "blue", "red", "pink"))
    report = api.transfer(given, target, output=tmp_path / "out.keras", map_words=True, verify=False)
    assert "WB302" in [f.code for f in report.findings]
    before, after = table_of(given), table_of(tmp_path / "out.keras")
    assert np.array_equal(after, before[[0, 0, 2, 3, 1, 0]])


def test_dropped_words_are_a_loss(tmp_path: Path) -> None:
    plan = api.plan(
        words_file(tmp_path / "a.keras", HERE), words_file(tmp_path / "b.keras", ("blue",)), map_words=True
    )
    step = next(step for step in plan.steps if step.target == "table/embeddings")
    assert (step.kind, step.contract, step.parameters["rows"]) == ("adapt", "lossy", [0, 3])


def test_nothing_moves_where_words_are_the_same(tmp_path: Path) -> None:
    paths = [words_file(tmp_path / f"{n}.keras", HERE, num_oov_indices=n) for n in (1, 1)]
    assert {step.kind for step in api.plan(*paths, map_words=True).steps} == {"copy"}


def test_words_that_a_file_does_not_hold_are_said(tmp_path: Path) -> None:
    lookup, table = layer("StringLookup", "words"), layer("Embedding", "table", input_dim=4, output_dim=4)
    config = sequential(source("x", [1], dtype="string"), lookup, table, layer("Dense", "top", units=2))
    weights = {
        "table": {"table/kernel": numbers(4, 4)},
        "top": {"top/kernel": numbers(4, 2), "top/bias": numbers(2)},
    }
    older = write_legacy(tmp_path / "a.h5", weights, config, version="3.15.1")
    report = api.check(older, words_file(tmp_path / "b.keras", HERE))
    assert [(f.code, f.severity) for f in report.findings if f.code == "WB404"] == [("WB404", "warning")]


def test_a_vocabulary_that_is_no_text_is_corrupt(tmp_path: Path) -> None:
    path = words_file(tmp_path / "m.keras", HERE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/layers/string_lookup/vocabulary.txt", b"\xff\xfe")
    with pytest.raises(Corrupt, match="UTF-8"):
        formats.read(path)


def never_adapted(path: Path, class_name: str = "StringLookup", **options: Any) -> Path:
    """As Keras saves one: the assets hold the marks alone."""
    words_file(path, (), class_name=class_name, assets=True, **options)
    return path


def with_rows(path: Path, rows: int) -> Path:
    """The same model whose table has room for more words."""
    with zipfile.ZipFile(path) as archive:
        kept = {
            n: archive.read(n) for n in archive.namelist() if n.startswith("assets") or n == "config.json"
        }
    told = json.loads(kept["config.json"])
    for one in told["config"]["layers"]:
        if one["class_name"] == "Embedding":
            one["config"]["input_dim"] = rows
    write_keras(path, told, {
        "layers/embedding": ("", (numbers(rows, 4, seed=9),)),
        "layers/dense": ("", (numbers(4, 2), numbers(2))),
    })  # fmt: skip
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in kept.items():
            if name.startswith("assets"):
                archive.writestr(name, content)
    return path


@pytest.mark.parametrize("class_name", list(FOLDER))
def test_a_lookup_that_was_never_adapted_gets_the_words(tmp_path: Path, class_name: str) -> None:
    given = words_file(tmp_path / "a.keras", HERE, class_name=class_name)
    rows = len(table_of(given))
    target = with_rows(never_adapted(tmp_path / "b.keras", class_name), rows)
    assert "vocabulary" not in formats.read(target).by_name["words"].details
    before = target.read_bytes()
    report = api.transfer(given, target, output=tmp_path / "out.keras", verify=False)
    assert [(f.code, f.severity) for f in report.findings] == [("WB210", "note")]
    told = [
        formats.read(path).by_name["words"].details["vocabulary"] for path in (given, tmp_path / "out.keras")
    ]
    assert told[0] == told[1]
    assert np.array_equal(table_of(given), table_of(tmp_path / "out.keras"))
    assert target.read_bytes() == before
    assert sorted(zipfile.ZipFile(tmp_path / "out.keras").namelist()) == sorted(
        {*zipfile.ZipFile(target).namelist(), *members_of(f"layers/{FOLDER[class_name]}")}
    )


@pytest.mark.parametrize("options", [{"num_oov_indices": 2}, {"max_tokens": 2}], ids=["marks", "room"])
def test_words_that_mean_other_rows_are_not_given(tmp_path: Path, options: dict[str, Any]) -> None:
    given = words_file(tmp_path / "a.keras", HERE)
    target = with_rows(never_adapted(tmp_path / "b.keras", **options), len(table_of(given)))
    report = api.transfer(given, target, output=tmp_path / "out.keras", verify=False)
    assert [(f.code, f.severity) for f in report.findings] == [("WB404", "warning")]
    assert "vocabulary" not in formats.read(tmp_path / "out.keras").by_name["words"].details


def subclassed(path: Path, words: Sequence[str], *, assets: bool) -> Path:
    """A class of the user's with a lookup, an Embedding and a Dense in it, as Keras saves it."""
    told = {} if assets else {"vocab": list(words)}
    config = {"module": "mine", "class_name": "Net", "config": told, "registered_name": "mine>Net"}
    rows = len(words) + 1
    groups = {
        "layers/string_lookup": ("words", ()),
        "layers/embedding": ("table", (numbers(rows, 9, seed=len(str(path))),)),
        "layers/dense": ("top", (numbers(9, 2), numbers(2))),
    }  # fmt: skip
    write_keras(path, config, groups)
    if assets:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("assets/layers/string_lookup/vocabulary.txt", "\n".join(["[UNK]", *words]))
    return path


@pytest.mark.parametrize("assets", [True, False], ids=["assets", "arguments"])
def test_words_of_a_subclassed_model_are_compared(tmp_path: Path, assets: bool) -> None:
    given, same = (subclassed(tmp_path / name, HERE, assets=assets) for name in ("a.keras", "same.keras"))
    other = subclassed(tmp_path / "other.keras", THERE, assets=not assets)
    assert not {f.code for f in api.check(given, same).findings} & {"WB404", "WB210"}
    assert "WB404" in {f.code for f in api.check(given, other).findings if f.severity == "error"}
    report = api.transfer(given, other, output=tmp_path / "out.keras", map_words=True, verify=False)
    assert "WB210" in {f.code for f in report.findings}
    before, after = (
        next(t.load() for t in formats.read(p).tensors if t.shape == (len(HERE) + 1, 9))
        for p in (given, tmp_path / "out.keras")
    )
    assert np.array_equal(after[1:], before[1:][[HERE.index(word) for word in THERE]])
