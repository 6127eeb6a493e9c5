"""The report as a notebook shows it: a part of a page, in the colours of the notebook's own theme."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from weightbridge.report.digest import digest
from weightbridge.report.escape import html
from weightbridge.report.render.html.environment import environment
from weightbridge.report.render.html.match import alone, described
from weightbridge.report.render.html.part import counts_of
from weightbridge.report.render.text import render as text_of
from weightbridge.views.match.matched import matched

COLORS = {"pass": "#1a7f4b", "warn": "#9a6700"}
WRONG = "#c62828"
SHARES = {"exact": "#1a7f4b", "adapted": "#b7791f", "fresh": "#8a63d2", "kept": "#7a7f87"}
MOST = 20  # entries of one code


def render(report: Mapping[str, Any]) -> str:
    """HTML without a script, a style sheet or a request; the picture is an image in itself."""
    made, joins = digest(report), matched(report)
    return environment().get_template("notebook.html.j2").render(
        made=made,
        color=COLORS.get(made.verdict, WRONG),
        counts=counts_of(made),
        shares=SHARES,
        most=MOST,
        picture=Markup(b64encode(alone(joins, report).encode()).decode()) if joins else "",
        described=described(joins) if joins else "",
        text=Markup("\n").join(Markup(html(line)) for line in text_of(report).splitlines()),
    )  # fmt: skip
