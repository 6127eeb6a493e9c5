"""The report as GitLab's code quality: an entry for each finding, with a fingerprint of its own."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.report.escape import visible
from weightbridge.report.render.places import places

LEVELS = {"error": "critical", "warning": "minor", "note": "info"}


def render(report: Mapping[str, Any]) -> str:
    """The same bytes for the same report."""
    return document(entries(report))


def document(found: Sequence[dict[str, Any]]) -> str:
    return json.dumps(found, indent=1) + "\n"


def entries(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for each finding."""
    spots = places(report)
    made = []
    for found in report["findings"]:
        place = spots.of(found)
        at = " <- ".join(name for name in (found["target"], found["source"]) if name)
        said = f"{at}: {found['message']}" if at and at not in found["message"] else found["message"]
        entry = {
            "type": "issue",
            "description": visible(said),
            "check_name": f"{found['code']} {found['name']}",
            "fingerprint": found["fingerprint"],
            "severity": LEVELS[found["severity"]],
            "categories": ["Compatibility"],
            "location": {"path": place.path, "lines": {"begin": place.line}},
        }
        made.append(entry)
    return made
