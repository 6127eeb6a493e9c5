"""The report as GitLab's code quality: an entry for each finding, with a fingerprint of its own."""

import json
from collections.abc import Mapping
from typing import Any

from weightbridge.report.escape import visible
from weightbridge.report.render.places import places

LEVELS = {"error": "critical", "warning": "minor", "note": "info"}


def render(report: Mapping[str, Any]) -> str:
    """The same bytes for the same report."""
    spots = places(report)
    entries = []
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
        entries.append(entry)
    return json.dumps(entries, indent=1) + "\n"
