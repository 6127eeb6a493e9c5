"""Policy files: what they may say, and that all that is wrong is said at once."""

from pathlib import Path

import pytest

from weightbridge.boundary.options import Options
from weightbridge.errors import UsageError
from weightbridge.report.policy import Policy, find_policy, load_policy, with_policy


def write(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text)
    return path


def test_all_keys(tmp_path: Path) -> None:
    text = 'min_coverage = 0.9\nfail_on = "warning"\n[severity]\nWB203 = "error"\nWB206 = "off"\n'
    assert load_policy(write(tmp_path, text)) == Policy({"WB203": "error", "WB206": "off"}, 0.9, "warning")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("color = 1", "unknown key 'color'"),
        ("severity = 1", "severity is a table"),
        ('[severity]\nWB999 = "error"', "unknown code 'WB999'"),
        ('[severity]\nWB203 = "fatal"', "'fatal' is none of"),
        ("[severity]\nWB203 = []", "[] is none of"),
        ("min_coverage = 2", "2 is no number from 0 to 1"),
        ("min_coverage = true", "True is no number"),
        ("min_coverage = nan", "nan is no number"),
        ('fail_on = "note"', "'note' is none of"),
        ("fail_on = []", "[] is none of"),
        ("fail_on = ", "no TOML"),
        ("min_exat = 1", "Did you mean 'min_exact'"),
        ('[severity]\nWB23 = "off"', "Did you mean"),
        ("schema = 2", "schema: 2 is not 1"),
        ("schema = true", "schema: True is not 1"),
        ('adapt = "fit"', "'fit' is none of none, same, weights"),
        ('baseline_mode = "grow"', "'grow' is none of shrink, keep, off"),
        ('baseline = ""', "baseline: '' is no path"),
        ('[report]\njsn = "x"', "Did you mean 'json'"),
        ("[report]\nmax_examples = -1", "report.max_examples: -1 is no whole number"),
        ('[report]\njson = "/abs"', "report.json: '/abs' is no path inside"),
        ('[report]\njson = "a/../../b"', "is no path inside the folder"),
        ('[report]\njson = "C:\\\\x"', "is no path inside the folder"),
        ("[pair]", "write [[pair]]"),
        ('[[pair]]\nsource = "a"', "pair[0].target is missing"),
        ('[[pair]]\nsource = "a"\ntarget = "b"\nfrech = []', "Did you mean 'fresh'?"),
        ('[[pair]]\nsource = "a"\ntarget = "b"\nfresh = "x"', "pair[0].fresh: 'x' is no list of globs"),
        ('[[pair]]\nsource = "a"\ntarget = "b"\nmap = ["x"]', "is no table of source = target"),
        ('[[pair]]\nname="x"\nsource = "a"\ntarget = "b"\n' * 2, "the name 'x' stands twice"),
        ("a = " + "[" * 5000, "no TOML"),
        ('fail_on = "x"\nmin_coverage = -1', "-1 is no number"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_policy(write(tmp_path, text))
    assert said in str(raised.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "binary"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"policy\.toml"):
        load_policy(path)


@pytest.mark.parametrize(
    ("explicit", "expected"),
    [((), ("warning", 0.9)), (("fail_on",), ("never", 0.9)), (("fail_on", "min_coverage"), ("never", 0.1))],
    ids=["policy", "one", "both"],
)
def test_the_user_comes_before_the_policy(
    tmp_path: Path, explicit: tuple[str, ...], expected: tuple[str, float]
) -> None:
    path = write(tmp_path, 'min_coverage = 0.9\nfail_on = "warning"\n')
    options = with_policy(
        Options(policy=path, fail_on="never", min_coverage=0.1, explicit=frozenset(explicit))
    )
    assert (options.fail_on, options.min_coverage) == expected


def test_no_policy_changes_nothing() -> None:
    assert with_policy(Options(fail_on="never")) == Options(fail_on="never")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min_coverage = 0.9", (0.9, None, None)),
        ("schema = 1\nmin_coverage = 0.9", (None, None, 0.9)),
        ("min_exact = 0.8\nmin_coverage = 0.9", (None, 0.8, 0.9)),
    ],
    ids=["as before", "schema", "beside min_exact"],
)
def test_what_min_coverage_means(
    tmp_path: Path, text: str, expected: tuple[float | None, float | None, float | None]
) -> None:
    policy = load_policy(write(tmp_path, text))
    assert (policy.min_coverage, policy.min_exact, policy.min_filled) == expected


def test_a_pair_has_its_options(tmp_path: Path) -> None:
    text = """
        [[pair]]
        source = "models/a.h5"
        target = "py:train.model:build"
        plan = "plans/a.json"
        fresh = ["head/*"]
        map = {"a.*" = "b/*"}
        min_coverage = 1
        """
    (pair,) = load_policy(write(tmp_path, text)).pairs
    assert pair.name == "models/a.h5:py:train.model:build"
    assert (pair.source, pair.target) == (str(tmp_path / "models" / "a.h5"), "py:train.model:build")
    plan, pairs = tmp_path / "plans" / "a.json", (("a.*", "b/*"),)
    assert pair.options == {"plan": plan, "fresh": ("head/*",), "map": pairs, "min_filled": 1}


TABLE = "[tool.weightbridge]\nfail_on = 'warning'\n"


def test_a_table_of_pyproject(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\nname = 'x'\n" + TABLE)
    assert load_policy(path).fail_on == "warning"
    path.write_text("[tool.weightbridge]\nfail_no = 'warning'\n")
    with pytest.raises(UsageError, match=r"pyproject\.toml.*Did you mean 'fail_on'"):
        load_policy(path)
    path.write_text("[tool]\nweightbridge = 1\n")
    with pytest.raises(UsageError, match=r"no table \[tool\.weightbridge\]"):
        load_policy(path)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"weightbridge.toml": ""}, "../../weightbridge.toml"),
        ({"sub/here/weightbridge.toml": "", "weightbridge.toml": ""}, "weightbridge.toml"),
        ({"sub/pyproject.toml": "[project]", "pyproject.toml": TABLE}, "../../pyproject.toml"),
        ({"sub/pyproject.toml": TABLE, "sub/weightbridge.toml": ""}, "../weightbridge.toml"),
        ({"weightbridge.toml": "", "sub/.git/config": ""}, None),
        ({"sub/weightbridge.toml": "", "sub/.git": "gitdir: x"}, "../weightbridge.toml"),
    ],
    ids=["none", "above", "nearest", "no table", "before pyproject", "other repository", "worktree"],
)
def test_the_policy_of_a_folder(tmp_path: Path, files: dict[str, str], expected: str | None) -> None:
    (tmp_path / ".git").mkdir()
    here = tmp_path / "sub" / "here"
    here.mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = find_policy(here)
    assert (found.as_posix() if found else None) == expected


def test_advice_is_about_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        load_policy(write(tmp_path, "min_exact = 2"))
    assert "rules list" not in str(raised.value)
    with pytest.raises(UsageError) as raised:
        load_policy(write(tmp_path, '[severity]\nWB23 = "off"'))
    said = str(raised.value)
    assert "?. " not in said
    assert said.endswith("`weightbridge rules list` names the codes")


def test_a_byte_order_mark_is_no_part_of_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbfmin_exact = 0.5\n")
    assert load_policy(path).min_exact == 0.5
