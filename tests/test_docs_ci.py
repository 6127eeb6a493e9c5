"""docs/ci.md: its policy, commands, workflows, hooks and tests, each run or held against what it names."""

import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from test_docs_site import DOCS, ROOT, blocks, run

from weightbridge.cli.group import cli
from weightbridge.report.policy.keys import problems

PAGE = (DOCS / "ci.md").read_text(encoding="utf-8")
SHELL = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
PLAN = next(line for line in SHELL if line.startswith("weightbridge plan"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's policy in a repository whose branch main has no baseline yet."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "weightbridge.toml").write_text(blocks(PAGE, "toml")[0])
    git = "git -c user.name=a -c user.email=a@b.c"
    run(f"git init -q -b main && git add weightbridge.toml && {git} commit -q -m first", tmp_path)
    return tmp_path


def test_the_policy_is_one() -> None:
    assert problems(tomllib.loads(blocks(PAGE, "toml")[0])) == []


def test_the_commands_run_one_after_another(repository: Path) -> None:
    run(PLAN, repository)
    for line in SHELL:
        if not line.startswith("weightbridge verify"):
            said = run(line, repository)
    assert said.endswith("an entry was added")
    assert (repository / "weightbridge-report" / "report.html").exists()
    assert (repository / "weightbridge-report" / "junit.xml").exists()


@pytest.mark.framework
@pytest.mark.slow
def test_the_verification_runs(repository: Path) -> None:
    for line in SHELL:
        if line.startswith("weightbridge verify"):
            run(line, repository)


def test_every_command_of_a_workflow_parses() -> None:
    found = re.findall(r"^ *- (weightbridge .+)$", PAGE, re.MULTILINE)
    assert found
    for line in found:
        _, name, *words = shlex.split(line)
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, words)


def _workflows() -> list[Any]:
    yaml = pytest.importorskip("yaml")
    return [yaml.safe_load(block) for block in blocks(PAGE, "yaml")]


def _mappings(value: Any) -> list[dict[str, Any]]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) else []
    return own + [found for item in items for found in _mappings(item)]


def test_the_action_is_given_what_it_takes() -> None:
    yaml = pytest.importorskip("yaml")
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    steps = [one for flow in _workflows() for one in _mappings(flow) if "ORG/" in str(one.get("uses", ""))]
    assert len(steps) == 2
    assert {name for step in steps for name in step["with"]} <= set(inputs)
    told = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE))))
    assert set(inputs) <= told


def test_the_hooks_are_there() -> None:
    yaml = pytest.importorskip("yaml")
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    used = {
        one["id"]
        for flow in _workflows()
        for one in _mappings(flow)
        if str(one.get("id", "")).startswith("w")
    }
    assert used == hooks


@pytest.mark.framework
@pytest.mark.slow
def test_the_tests_of_the_page_pass(repository: Path) -> None:
    tests, fit = blocks(PAGE, "python")
    (repository / "test_page.py").write_text(tests)
    options = "-q -p no:cacheprovider --weightbridge-evidence=quick"
    said = run(f"{sys.executable} -m pytest {options} --weightbridge-report=reports test_page.py", repository)
    assert "3 passed" in said
    assert len(list((repository / "reports").iterdir())) == 6
    (repository / "page.py").write_text(f"{tests}\n{fit}")
    run(f"{sys.executable} page.py", repository)
