"""The pages of the documentation: made ones are complete, links lead somewhere, and every example runs."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import weightbridge as wb
from weightbridge.cli.group import COMMANDS
from weightbridge.errors.diagnostics import CODES
from weightbridge.report.explain import explanation
from weightbridge.report.policy.keys import CHECKS, problems

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WRITTEN = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
MODELS = ROOT / "examples" / "models"


def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = hooks()
PAGES: dict[str, str] = {**WRITTEN, **HOOKS.pages()}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    modules = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": modules},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def sessions(text: str) -> list[tuple[str, str]]:
    """(command, output) pairs of all fenced sessions."""
    parts = [re.split(r"^\$ (.+)$", session, flags=re.MULTILINE)[1:] for session in blocks(text, "console")]
    pairs = [pair for one in parts for pair in zip(one[::2], one[1::2], strict=True)]
    return [(command, output.strip()) for command, output in pairs]


@pytest.mark.parametrize("code", CODES)
def test_the_page_of_codes_has_every_code_with_what_to_do(code: str) -> None:
    (section,) = re.findall(rf"^### {code} .*?(?=^##|\Z)", PAGES["codes.md"], re.MULTILINE | re.DOTALL)
    means, to_do = (text.replace("`", "") for text in explanation(code))
    plain = section.replace("`", "")
    assert [part for part in (CODES[code].name, means, to_do) if part not in plain] == []


def test_every_group_of_codes_has_a_heading() -> None:
    assert {code[:3] for code in CODES} == set(HOOKS.GROUPS)


def test_the_page_of_commands_has_the_help_of_all() -> None:
    shown = blocks(PAGES["commands.md"], "text")
    for name in COMMANDS:
        assert any(block.startswith(f"Usage: weightbridge {name} ") for block in shown), name
    assert sum("Example:" in block for block in shown) >= len(COMMANDS)


def test_the_first_page_and_the_recipes_are_the_readmes() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```.*?^```$", readme, re.MULTILINE | re.DOTALL):
        assert (block in PAGES["index.md"]) != (block in PAGES["recipes.md"])
    assert PAGES["recipes.md"].startswith("# Recipes\n")


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_page(page: str) -> None:
    prose = re.sub(r"^```.*?^```$|`[^`]*`", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose)
    may_leave = [link for link in links if page in WRITTEN or link.startswith("pictures/")]
    outside = {link for link in may_leave if (DOCS / link).exists()}
    assert sorted(link for link in links if link not in PAGES and link not in outside) == []


def test_pictures_of_the_readme_are_on_the_first_page() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(docs/([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [name for name in pictures if f"]({name})" not in PAGES["index.md"] + PAGES["recipes.md"]] == []


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed == set(PAGES), "name the page under nav: in mkdocs.yml"


def test_the_policy_of_the_docs_is_one_and_every_key_is_told() -> None:
    (text,) = blocks(WRITTEN["policy.md"], "toml")
    assert problems(tomllib.loads(text)) == []
    told = re.sub(r"[\[\]]", "", WRITTEN["policy.md"])
    assert sorted(key for key in CHECKS if f"`{key}`" not in told) == []


def test_the_pairs_of_the_policy_pass(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "weightbridge.toml").write_text(blocks(WRITTEN["policy.md"], "toml")[0])
    run("weightbridge check --config weightbridge.toml --quiet", tmp_path)


def test_the_plan_of_the_docs_is_what_a_plan_has() -> None:
    plan = wb.plan(MODELS / "torch.safetensors", MODELS / "mine.keras")
    step, question = map(json.loads, blocks(WRITTEN["plan-file.md"], "json"))
    assert step in [json.loads(json.dumps(entry)) for entry in _entries(plan)]
    assert question["ask"] == plan.questions[0].ask
    assert [key for key in step if f"`{key}`" not in WRITTEN["plan-file.md"]] == []


def _entries(plan: wb.Plan) -> list[dict[str, Any]]:
    from weightbridge.plan.file import dumps

    steps: list[dict[str, Any]] = json.loads(dumps(plan))["steps"]
    return steps


@pytest.mark.parametrize("page", [page for page in WRITTEN if sessions(WRITTEN[page])])
def test_a_session_prints_what_stands_there(page: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for command, output in sessions(WRITTEN[page]):
        assert run(command, tmp_path).split() == output.split(), command


@pytest.mark.framework
@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in WRITTEN if blocks(WRITTEN[page], "python")])
def test_the_python_of_a_page_runs(page: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "page.py").write_text("\n".join(blocks(WRITTEN[page], "python")))
    run(f"{sys.executable} page.py", tmp_path)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    site = f"--strict --quiet --site-dir {tmp_path}/site -f {ROOT}/mkdocs.yml"
    assert run(f"NO_MKDOCS_2_WARNING=1 {sys.executable} -m mkdocs build {site}", tmp_path) == ""
    assert (tmp_path / "site" / "codes.html").exists()
    assert not list((tmp_path / "site").rglob("*.py"))
