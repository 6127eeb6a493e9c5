"""The report as one HTML page: no request, no library, complete with scripts off."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from weightbridge.report.digest import Digest, digest
from weightbridge.report.render.html.assets import asset
from weightbridge.report.render.html.environment import environment
from weightbridge.report.render.html.part import part

Json = Mapping[str, Any]
STYLES = ("colors.css", "style.css", "match.css", "layers.css")


def render(report: Json) -> str:
    """The whole page."""
    return page(_title(digest(report)), part(report), report["tool"]["version"])


def page(title: str, content: Markup, version: str) -> str:
    """The frame of a page, with its style and its one script."""
    script = asset("script.js")
    return environment().get_template("page.html.j2").render(
        title=title,
        content=content,
        version=version,
        style=Markup("".join(map(asset, STYLES))),
        script=Markup(script),
        script_hash=_hash(script),
    )  # fmt: skip


def _hash(script: str) -> str:
    """As a Content-Security-Policy names the one script that may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _title(made: Digest) -> str:
    names = " and ".join(Path(row.path).name for row in made.models)
    return f"{made.verdict.upper()} {made.command} {names}".strip()
