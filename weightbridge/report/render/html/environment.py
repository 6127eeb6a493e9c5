"""How a page's templates are filled in: everything is escaped, and nothing invisible stays."""

import re
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from weightbridge.report.escape import html, visible
from weightbridge.report.explain import explanation
from weightbridge.report.words import counted, percent

BRIEF = 200  # signs of a message in the summary
_OPTION = re.compile(r"(?<![\w-])--[a-z-]+(?![^<]*</code>)")
_COMMAND = re.compile(r"`([^`]*)`")


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
        coded=_coded,
        brief=_brief,
    )
    return made


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _coded(text: str) -> Markup:
    """Commands between backticks as code, options in one piece."""
    return Markup(_OPTION.sub(r"<code>\g<0></code>", _COMMAND.sub(r"<code>\1</code>", html(text))))


def _brief(text: str) -> str:
    """The first of its words where it is long; the findings have it all."""
    return text if len(text) <= BRIEF else f"{text[:BRIEF].rpartition(' ')[0]} …"
