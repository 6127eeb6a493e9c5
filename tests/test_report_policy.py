"""Policy files: what they may say, and that all that is wrong is said at once."""

from pathlib import Path

import pytest

from weightbridge.boundary.options import Options
from weightbridge.errors import UsageError
from weightbridge.report.policy import Policy, load_policy, with_policy


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
