"""A baseline: what it accepts, what is stale in it, who may add to it, and what nobody can accept."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_calls import Call, caller
from report_samples import sample, write_keras

import weightbridge as wb
from weightbridge.boundary.options import Options
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import CODES, finding, fingerprints
from weightbridge.report.baseline import Accepted, dumps, is_acceptable, load_baseline, loads
from weightbridge.report.baseline.report import with_baseline
from weightbridge.report.load import load_report
from weightbridge.report.verdict import judge

ACCEPTED = "weightbridge-baseline.json"
ADD = ("baseline", "add", "deep.keras", "a.keras", "--code", "WB203", "--reason", "the trunk is enough")
CHECK = ("check", "deep.keras", "a.keras", "--fail-on", "warning")
TODAY = datetime.now(UTC).date()


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """deep.keras has two layers more than a.keras: one WB203 about both."""
    monkeypatch.chdir(tmp_path)
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
    deeper(tmp_path)

    return caller(capsys)


def deeper(folder: Path, *names: str) -> None:
    names = names or ("third", "fourth")
    write_keras(
        folder / "deep.keras", (4, 3, 2, *range(2, 2 + len(names))), ("first", "second", *names), seed=1
    )


def entry(**changed: Any) -> dict[str, Any]:
    plain = {"pair": "p", "code": "WB203", "source": "s", "target": "", "fingerprint": "f", "reason": "why"}
    return {**plain, "until": None, **changed}


def file(*entries: Any, **changed: Any) -> str:
    return json.dumps({"schema_version": 1, "accepted": list(entries), **changed})


def test_what_is_accepted_counts_no_more(call: Call, tmp_path: Path) -> None:
    assert call(*CHECK)[0] == 1
    assert call(*ADD, "--until", "2999-12-31")[0] == 0
    (one,) = json.loads((tmp_path / ACCEPTED).read_text())["accepted"]
    assert (one["pair"], one["code"], one["source"]) == ("deep.keras:a.keras", "WB203", "third")
    assert (one["reason"], one["until"]) == ("the trunk is enough", "2999-12-31")
    code, out, _ = call(*CHECK, "--baseline", ACCEPTED)
    assert code == 0
    assert "known   0 new, 1 accepted, 0 stale" in out
    assert call(*CHECK)[0] == 1  # nothing is accepted that nobody asked for
    _, out, _ = call(*CHECK, "--baseline", ACCEPTED, "--report", "json")
    data = json.loads(out)
    assert data["baseline"] == {"new": 0, "accepted": 1, "stale": 0}
    assert data["findings"] == []
    assert [(one["code"], one["reason"]) for one in data["accepted"]] == [("WB203", "the trunk is enough")]


def test_another_finding_of_the_same_code_is_new(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    for names in (("third", "other"), ("third",), ("other", "fourth")):
        deeper(tmp_path, *names)
        code, out, _ = call(*CHECK, "--baseline", ACCEPTED, "--report", "json")
        assert (code, json.loads(out)["baseline"]) == (1, {"new": 1, "accepted": 0, "stale": 1}), names


@pytest.mark.parametrize(("mode", "code", "severity"), [("shrink", 1, "error"), ("keep", 0, "warning")])
def test_a_stale_entry(call: Call, tmp_path: Path, mode: str, code: int, severity: str) -> None:
    call(*ADD)
    policy = f'baseline = "{ACCEPTED}"\nbaseline_mode = "{mode}"\n'
    (tmp_path / "weightbridge.toml").write_text(policy)
    assert call("check", "deep.keras", "a.keras")[0] == 0
    write_keras(tmp_path / "deep.keras", (4, 3, 2), ("first", "second"), seed=4)
    ended, out, _ = call("check", "deep.keras", "a.keras", "--report", "json")
    (found,) = json.loads(out)["findings"]
    assert (ended, found["code"], found["severity"]) == (code, "WB590", severity)


def test_a_mode_that_is_off(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    (tmp_path / "weightbridge.toml").write_text(f'baseline = "{ACCEPTED}"\nbaseline_mode = "off"\n')
    code, out, _ = call(*CHECK, "--report", "json")
    assert code == 1
    assert "baseline" not in json.loads(out)


def test_a_policy_may_name_a_baseline_that_is_to_come(call: Call, tmp_path: Path) -> None:
    (tmp_path / "weightbridge.toml").write_text('baseline = "later.json"\n')
    assert call("check", "deep.keras", "a.keras")[0] == 0
    assert call(*CHECK, "--baseline", "later.json")[0] == 2
    assert call(*ADD)[0] == 0
    assert (tmp_path / "later.json").exists()


def test_a_day_that_is_past(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    path = tmp_path / ACCEPTED
    for day, code in ((TODAY, 0), (TODAY + timedelta(days=1), 0), (TODAY - timedelta(days=1), 1)):
        path.write_text(path.read_text().replace("null", f'"{day}"'))
        ended, out, _ = call(*CHECK, "--baseline", ACCEPTED)
        assert ended == code, day
        path.write_text(path.read_text().replace(f'"{day}"', "null"))
    assert "WB203" in out
    assert "last day was" in out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--reason": None}, "--reason"),
        ({"--reason": " "}, "there is none"),
        ({"--code": "WB401"}, "WB401 cannot be accepted"),
        ({"--code": "WB106"}, "cannot be accepted"),
        ({"--code": "WB905"}, "cannot be accepted"),
        ({"--code": "WB502"}, "cannot be accepted"),
        ({"--code": "WB999"}, "no such code"),
        ({"--code": "WB204"}, "there are: WB203"),
        ({"--until": "2001-01-01"}, "that day is past"),
        ({"--until": "soon"}, "--until"),
    ],
)
def test_what_cannot_be_added(call: Call, tmp_path: Path, changed: dict[str, str | None], said: str) -> None:
    options = {"--code": "WB203", "--reason": "why", **changed}
    words = [word for option, value in options.items() if value is not None for word in (option, value)]
    code, _, err = call("baseline", "add", "deep.keras", "a.keras", *words)
    assert code == 2
    assert said in err
    assert not (tmp_path / ACCEPTED).exists()


def test_what_nobody_can_accept() -> None:
    refused = {code for code in CODES if not is_acceptable(code)}
    of_verification = {"WB401", "WB402", "WB404", "WB405", "WB406"}
    assert refused == {"WB106", *of_verification, *(code for code in CODES if code[2] in "59")}


def test_pruning_only_removes(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    path = tmp_path / ACCEPTED
    (real,) = loads(path.read_text(), "")
    past, gone = replace(real, code="WB204", until=TODAY - timedelta(days=1)), replace(real, fingerprint="x")
    coded = replace(real, pair="py:os:system:a.keras")
    path.write_text(dumps((real, past, gone, coded)))
    before = path.read_text()
    code, out, _ = call("baseline", "prune")
    assert (code, out.splitlines()[0]) == (0, f"2 entries removed; {ACCEPTED} has 2")
    assert set(load_baseline(path)) == {real, coded}
    assert set(path.read_text().splitlines()) < set(before.splitlines()) | {f"  {line}" for line in before}
    stamp = path.stat().st_mtime_ns
    assert call("baseline", "prune", "deep.keras", "a.keras")[1].startswith("0 entries removed")
    assert path.stat().st_mtime_ns == stamp


def test_what_cannot_be_read_is_not_pruned(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    (tmp_path / "deep.keras").write_bytes(b"PK")
    code, out, err = call("baseline", "prune")
    assert code == 4
    assert out.startswith("0 entries removed")
    assert "its entries stay: deep.keras:a.keras" in err
    assert call(*CHECK, "--baseline", ACCEPTED, "--report", "json")[0] == 4


def test_a_pair_of_the_policy_has_its_own_entries(call: Call, tmp_path: Path) -> None:
    pairs = "".join(
        f'[[pair]]\nname = "{name}"\nsource = "{source}.keras"\ntarget = "{target}.keras"\n{more}'
        for name, source, target, more in (
            ("trunk", "deep", "a", ""),
            ("whole", "deep", "deep", ""),
            ("head", "a", "deep", 'fresh = ["third/*"]\n'),
        )
    )
    policy = f'baseline = "{ACCEPTED}"\nbaseline_mode = "shrink"\nfail_on = "warning"\n{pairs}'
    (tmp_path / "weightbridge.toml").write_text(policy)
    assert call(*ADD)[0] == 0
    code, out, _ = call("baseline", "add", "a.keras", "deep.keras", "--code", "WB202", "--reason", "new")
    assert code == 0
    assert "head WB202 fourth" in out  # the rest of the pair is declared fresh
    assert call("check", "--config", "weightbridge.toml")[0] == 0
    assert call("check", "deep.keras", "a.keras")[0] == 0
    renamed = policy.replace('"trunk"', '"stem"')
    (tmp_path / "weightbridge.toml").write_text(renamed)
    code, out, _ = call("check", "--config", "weightbridge.toml", "--report", "json")
    codes = [(one["pair"], one["code"]) for one in json.loads(out)["findings"]]
    assert (code, codes) == (1, [("stem", "WB203"), ("baseline", "WB590")])
    assert call("baseline", "prune")[1].startswith("1 entry removed")


def test_added_entries_are_named(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    (tmp_path / "before.json").write_text(file())
    against = ("baseline", "check", "--against")
    code, out, _ = call(*against, "before.json")
    assert code == 1
    assert "1 entry added" in out
    assert "deep.keras:a.keras WB203 third: the trunk is enough" in out
    assert call(*against, ACCEPTED)[0] == 0
    (tmp_path / "before.json").write_text((tmp_path / ACCEPTED).read_text().replace("null", '"2030-01-01"'))
    assert call(*against, "before.json")[0] == 1  # it holds for longer now
    (tmp_path / ACCEPTED).write_text(file())
    assert call(*against, "before.json")[0] == 0
    (tmp_path / ACCEPTED).unlink()
    assert call(*against, "before.json")[0] == 0


def test_against_a_revision(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    against = ("baseline", "check", "--against")
    assert call(*against, f"HEAD:{ACCEPTED}")[0] == 2
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(("git", "init", "-q"), check=True)
    subprocess.run((*git, "commit", "-q", "--allow-empty", "-m", "first"), check=True)
    call(*ADD)
    assert call(*against, f"HEAD:{ACCEPTED}")[0] == 1
    subprocess.run(("git", "add", ACCEPTED), check=True)
    subprocess.run((*git, "commit", "-q", "-m", "second"), check=True)
    assert call(*against, f"HEAD:{ACCEPTED}")[0] == 0
    code, _, err = call(*against, f"origin/main:{ACCEPTED}")
    assert code == 2
    assert "git knows no revision 'origin/main'. Fetch it first" in err
    for hostile in ("--help:x", "HEAD; touch x:y", "nope.json", ":", "HEAD:"):
        assert call(*against, hostile)[0] == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[]", "schema_version 1"),
        ('{"schema_version": 2}', "schema_version 1"),
        (file(more=1), "unknown key 'more'"),
        (file(accepted={}), "a list of entries"),
        (file(1), "accepted[0]: expected an object"),
        (file({**entry(), "resaon": "x"}), "Did you mean 'reason'"),
        (file({"code": "WB203"}), "accepted[0] has no pair"),
        (file(entry(code="WB999")), "accepted[0].code is 'WB999', expected a code such as WB203"),
        (file(entry(reason="")), "accepted[0].reason is '', expected why"),
        (file(entry(until="30.6.2027")), "expected a day such as 2027-06-30"),
        (file(entry(code="WB401")), "WB401 cannot be accepted"),
        (file(entry(), entry()), "p WB203 f stands 2 times"),
        ('{"schema_version": 1, "accepted": ' + "[" * 100_000, "no JSON"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(UsageError, match=r"b\.json") as raised:
        load_baseline(tmp_path / "b.json")
    assert said in str(raised.value)


def test_a_file_has_an_entry_a_line_in_order() -> None:
    entries = [
        Accepted(pair, "WB403", "s", target, f"{pair}{target}", "é") for pair in "ba" for target in "zy"
    ]
    lines = dumps(entries).splitlines()
    assert [json.loads(line.strip().rstrip(","))["fingerprint"] for line in lines[3:-2]] == [
        "ay",
        "az",
        "by",
        "bz",
    ]
    assert loads(dumps(entries), "") == tuple(sorted(entries, key=lambda one: one.order))
    assert loads(dumps(()), "") == ()


def test_a_finding_has_the_same_fingerprint_again(call: Call, tmp_path: Path) -> None:
    call(*CHECK, "--report", "json=r.json")
    data = json.loads((tmp_path / "r.json").read_text())
    again = load_report(tmp_path / "r.json").to_json()
    assert [one["fingerprint"] for one in again["findings"]] == [
        one["fingerprint"] for one in data["findings"]
    ]
    assert data["findings"][0]["about"]


def test_a_saved_report_is_judged_by_another_baseline(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    assert call(*CHECK, "--baseline", ACCEPTED, "--report", "json=r.json")[0] == 0
    assert call("report", "r.json", "--report", "json=again.json")[0] == 0
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "r.json").read_bytes()
    (tmp_path / "empty.json").write_text(file())
    assert call("report", "r.json", "--baseline", "empty.json")[0] == 1
    assert call("report", "r.json", "--baseline", ACCEPTED)[0] == 0


def test_other_commands_do_not_say_that_an_entry_is_stale(tmp_path: Path) -> None:
    found = finding("WB203", "unused", source="x")
    (fingerprint,) = fingerprints((found,))
    (tmp_path / "b.json").write_text(dumps([Accepted("p", "WB203", "x", "", fingerprint, "why")]))
    options = Options(baseline=tmp_path / "b.json", pair="p", baseline_mode="shrink")
    for command, stale in (("check", 1), ("transfer", 1), ("verify", 0), ("inspect", 0)):
        made = with_baseline(replace(sample(command), findings=()), (), options)
        assert made.baseline == {"new": 0, "accepted": 0, "stale": stale}, command
    made = with_baseline(sample(), (found,), options)
    assert (made.findings, len(made.accepted)) == ((), 1)


def test_a_library_call_takes_one(call: Call, tmp_path: Path) -> None:
    call(*ADD)
    assert not wb.check("deep.keras", "a.keras", fail_on="warning").ok
    assert wb.check("deep.keras", "a.keras", fail_on="warning", baseline=ACCEPTED).ok
    with pytest.raises(UsageError, match="No such file"):
        wb.check("deep.keras", "a.keras", baseline="nope.json")


def test_a_failed_verification_is_never_accepted(tmp_path: Path) -> None:
    found = finding("WB401", "differs", target="y")
    report = judge(replace(sample(), findings=(found,)), Options())
    (fingerprint,) = fingerprints((found,))
    (tmp_path / "b.json").write_text(file(entry(code="WB401", target="y", fingerprint=fingerprint)))
    assert report.exit_code == 1
    with pytest.raises(UsageError, match="WB401 cannot be accepted"):
        judge(report, Options(baseline=tmp_path / "b.json", explicit=frozenset({"baseline"})))
