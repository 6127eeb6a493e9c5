"""The picture alone: the match of two models, the layers of an inspected one, what a fit has reached."""

from collections.abc import Mapping
from typing import Any

from weightbridge.report.render import fit
from weightbridge.report.render.advice import advice_of, picture
from weightbridge.report.render.html.match import alone
from weightbridge.views import svg
from weightbridge.views.match.matched import matched

NOTHING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="48" viewBox="0 0 640 48">'
    '<rect width="640" height="48" fill="#fff"/><text x="16" y="29" font-family="sans-serif" font-size="14">'
    "{}: there is nothing to draw, for nothing was matched</text></svg>\n"
)


def render(report: Mapping[str, Any]) -> str:
    """One file without scripts, fonts or links."""
    if report.get("graph"):
        return svg.render(report["graph"])
    if advice_of(report) is not None:
        return picture(report)
    fitted = fit.picture(report)
    if fitted:
        return fitted
    match = matched(report)
    return alone(match, report) if match else NOTHING.format(report["verdict"].upper())
