"""Pages that are made while the site is built: from the README, the table of codes and the commands' help."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weightbridge.cli.group import COMMANDS, cli
from weightbridge.errors.diagnostics import CODES
from weightbridge.report.explain import explanation

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent
RECIPES = "## Recipes\n"
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)]+)\)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(docs/([^)]+)\)")
GROUPS = {
    "WB1": "Files and models",
    "WB2": "Matching",
    "WB3": "Adapting",
    "WB4": "Verification",
    "WB5": "The proof itself",
    "WB9": "Refused, or not there",
}


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Adds the made pages to those of docs/."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> Mapping[str, str]:
    """The text of each page that stands in no file of docs/."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, recipes = readme.split(RECIPES)
    recipes, after = re.split(r"^(?=## )", recipes, maxsplit=1, flags=re.MULTILINE)
    return {
        "index.md": linked(f"{before}{after}"),
        "recipes.md": linked(f"# Recipes\n{recipes.replace('### ', '## ')}"),
        "codes.md": "".join(codes()),
        "commands.md": "".join(commands()),
        "changelog.md": linked((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")),
    }


def linked(text: str) -> str:
    """Links of the repository as the site has them; what is no page of the site is named without a link."""
    text = _IMAGE.sub(r"![\1](\2)", text)
    return _LINK.sub(
        lambda m: f"[{_bare(m[1])}]({m[2].removeprefix('docs/')})" if _is_page(m[2]) else m[1], text
    )


def codes() -> Iterator[str]:
    """Every code, with what it means and what to do."""
    yield '# Codes\n\nCodes are stable. A policy changes the severity of one: `[severity] WB203 = "note"`.\n'
    yield "`weightbridge rules show WB204` prints what stands here.\n"
    group = ""
    for code in CODES.values():
        if code.code[:3] != group:
            group = code.code[:3]
            yield f"\n## {GROUPS[group]}\n"
        means, to_do = explanation(code.code)
        yield f"\n### {code.code} {code.name} {{ #{code.code.lower()} }}\n\n"
        yield f"*{code.severity}:* {_escaped(code.when)}\n\n"
        yield f"{_escaped(means)}\n\n**What to do:** {_escaped(to_do)}\n"


def commands() -> Iterator[str]:
    """The help of every command, as it prints it."""
    yield "# Commands\n\nWhat `--help` prints. The examples run beside the files of `examples/models`.\n"
    context = click.Context(cli, info_name="weightbridge")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield f"\n## {name}\n\n```text\n{_help(command, name, context)}\n```\n"
        inner: dict[str, Any] = getattr(command, "commands", {})
        for below, one in inner.items():
            yield f"\n### {name} {below}\n\n```text\n{_help(one, f'{name} {below}', context)}\n```\n"


def _help(command: click.Command, name: str, parent: click.Context) -> str:
    return command.get_help(click.Context(command, info_name=name, parent=parent)).rstrip()


def _is_page(link: str) -> bool:
    page = link.partition("#")[0]
    return (
        page.startswith("docs/")
        and (ROOT / page).suffix in (".md", ".svg", ".png")
        and (ROOT / page).exists()
    )


def _bare(text: str) -> str:
    """`docs/python.md` as the name of a link is `python`."""
    return text.removeprefix("docs/").removesuffix(".md") if text.startswith("docs/") else text


def _escaped(text: str) -> str:
    """Prose with what Markdown would take for markup: globs and placeholders go into code."""
    return re.sub(r"(?<![`\w])(--[a-z-]+(?: [A-Z.=*]+)?|\*\S*|<[^>]+>)(?![`\w])", r"`\1`", text)
