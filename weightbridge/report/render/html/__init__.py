"""The report as one HTML page: no request, no library, complete with scripts off."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from weightbridge.report.digest import Digest, digest
from weightbridge.report.digest.values import Way
from weightbridge.report.escape import html, visible
from weightbridge.report.explain import explanation
from weightbridge.report.render.html import match, rows
from weightbridge.report.render.html.assets import asset
from weightbridge.report.render.html.chart import charts
from weightbridge.report.render.html.model import model_picture
from weightbridge.report.render.html.stage import stages
from weightbridge.report.render.layout import command, shell
from weightbridge.report.words import counted, percent
from weightbridge.views.bands import layout
from weightbridge.views.matched import matched

Json = Mapping[str, Any]
_SEPARATOR = re.compile(r"([/._])(?=\w)")
_OPTION = re.compile(r"(?<![\w-])--[a-z-]+(?![^<]*</code>)")
BRIEF = 200  # signs of a message in the summary
_COMMAND = re.compile(r"`([^`]*)`")
COLUMNS = 52  # of a command in its card


def render(report: Json) -> str:
    """The whole page."""
    made, joins = digest(report), matched(report)
    model, flow, families = model_picture(report)
    script = asset("script.js")
    return environment().get_template("page.html.j2").render(
        made=made,
        title=_title(made),
        counts=counts_of(made),
        ways=[(way.purpose, _command(way)) for way in made.ways],
        asked=_asked(made),
        picture=Markup(match.pictures(joins, report)) if joins else "",
        legend=match.legend(joins) if joins else (),
        model=Markup(model),
        flow=flow,
        families=families,
        layered=stages(layout(joins), report) if joins else (),
        chart=Markup(charts(report)),
        findings=rows.findings(made),
        outputs=rows.outputs(report),
        tensors=rows.tensors(report),
        shares=rows.shares(report),
        unused=rows.unused(report),
        layers=rows.layers(report),
        excluded=rows.excluded(report),
        style=Markup("".join(map(asset, ("colors.css", "style.css", "picture.css")))),
        script=Markup(script),
        script_hash=_hash(script),
        version=report["tool"]["version"],
    )  # fmt: skip


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Everything that is put into a template is escaped, and nothing invisible stays in it."""
    made = Environment(
        loader=PackageLoader("weightbridge.report.render.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        percent=percent,
        counted=counted,
        explanation=explanation,
        breakable=_breakable,
        coded=_coded,
        brief=_brief,
    )
    return made


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(name: str) -> Markup:
    """A name that a narrow column may break behind its separators."""
    escaped = html(name)
    return Markup(_SEPARATOR.sub(r"\1<wbr>", escaped))


def _coded(text: str) -> Markup:
    """Commands between backticks as code, options in one piece."""
    return Markup(_OPTION.sub(r"<code>\g<0></code>", _COMMAND.sub(r"<code>\1</code>", html(text))))


def _brief(text: str) -> str:
    """The first of its words where it is long; the findings have it all."""
    return text if len(text) <= BRIEF else f"{text[:BRIEF].rpartition(' ')[0]} …"


def _hash(script: str) -> str:
    """As a Content-Security-Policy names the one script that may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _title(made: Digest) -> str:
    names = " and ".join(Path(row.path).name for row in made.models)
    return f"{made.verdict.upper()} {made.command} {names}".strip()


def _asked(made: Digest) -> str:
    words = (made.command, *(row.path for row in made.models), *made.asked)
    return " ".join(("weightbridge", *map(shell, words)))


def counts_of(made: Digest) -> str:
    counts: Sequence[str] = [counted(number, key) for key, number in made.counts.items() if number]
    return ", ".join(counts) or "no findings"


def _command(way: Way) -> list[str]:
    lines = command(way.arguments, COLUMNS, 0)
    return ["".join(text for text, _ in line).rstrip() for line in lines]
