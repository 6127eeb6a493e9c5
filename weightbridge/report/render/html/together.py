"""The reports of all pairs of a policy as one page: a table of them, then each in full, the worst first."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from weightbridge.report.digest import digest
from weightbridge.report.digest.values import Digest
from weightbridge.report.render.html import page
from weightbridge.report.render.html.environment import environment
from weightbridge.report.render.html.part import counts_of, part
from weightbridge.report.render.pair_lines import GOOD, name_of, why
from weightbridge.report.values import ORDER

Json = Mapping[str, Any]
MOST = 20  # pairs in full


def render(report: Json) -> str:
    """Those that are to be looked at are open."""
    in_order = sorted(report["pairs"], key=lambda pair: ORDER.index(pair["verdict"]))
    content = environment().get_template("together.html.j2").render(
        report=report,
        why=why(report),
        rows=[_row(f"pair-{i}-" if i < MOST else "", pair) for i, pair in enumerate(in_order)],
        pairs=[_pair(f"pair-{i}-", pair) for i, pair in enumerate(in_order[:MOST])],
        more=max(len(in_order) - MOST, 0),
    )  # fmt: skip
    title = f"{report['verdict'].upper()} {report['command']} {report.get('config') or ''}".strip()
    return page(title, Markup(content), report["tool"]["version"])


def _row(at: str, pair: Json) -> tuple[str, str, Digest, float, str]:
    """Where it stands, its name, its digest, how much of it is exact, and its counts."""
    made = digest(pair)
    exact = sum(row.fraction for row in made.ledger if row.share == "exact")
    return at, name_of(pair), made, exact, counts_of(made)


def _pair(at: str, pair: Json) -> tuple[str, str, str, bool, Markup]:
    """Where it stands, its name, its verdict, whether it is open, and the report."""
    return at, name_of(pair), pair["verdict"], pair["verdict"] not in GOOD, part(pair, at)
