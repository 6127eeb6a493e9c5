"""The report as SARIF 2.1.0 for GitHub's code scanning: a result for each finding, each with a place."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from weightbridge.errors.diagnostics import CODES, SEVERITIES
from weightbridge.report.escape import visible
from weightbridge.report.explain import explanation
from weightbridge.report.render.comment import pair_of
from weightbridge.report.render.places import Places, places

Json = Mapping[str, Any]
MOST = 5000  # results that GitHub keeps of a run
LEVELS = {"error": "error", "warning": "warning", "note": "note"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "weightbridge/v1"


def render(report: Json) -> str:
    """The same bytes for the same report; the worst results where there are too many."""
    return document(report, pair_of(report), results(report))


def document(report: Json, about: str, found: Sequence[dict[str, Any]]) -> str:
    """One run: GitHub takes no two of one tool and category. about: the pair, or what names all of them."""
    kept = sorted(found, key=lambda one: -SEVERITIES.index(one["level"]))[:MOST]
    codes = sorted({one["ruleId"] for one in kept})
    run = {
        "tool": {"driver": _driver(report, codes)},
        "automationDetails": {"id": f"weightbridge/{report['command']}/{about}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": report["verdict"] != "error"}],
        "results": [{**one, "ruleIndex": codes.index(one["ruleId"])} for one in kept],
        "properties": {"verdict": report["verdict"], "findings": len(report["findings"])},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def results(report: Json) -> list[dict[str, Any]]:
    """One for each finding."""
    spots = places(report)
    return [_result(one, spots) for one in report["findings"]]


def _driver(report: Json, codes: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "weightbridge",
        "version": report["tool"]["version"],
        "rules": [_rule(code) for code in codes],
    }


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    means, to_do = explanation(code)
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in known.name.split("-")),
        "shortDescription": {"text": known.when},
        "fullDescription": {"text": means},
        "help": {"text": f"{means} {to_do}", "markdown": f"{means}\n\n{to_do}"},
        "defaultConfiguration": {"level": LEVELS[known.severity]},
        "properties": {"tags": ["weights"]},
    }


def _result(found: Json, spots: Places) -> dict[str, Any]:
    place = spots.of(found)
    names = [name for name in (found["target"], found["source"]) if name]
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(place.path), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": place.line},
        }
    }
    if names:
        location["logicalLocations"] = list(_logical(dict.fromkeys(names)))
    fix = f" {found['fix']}" if found["fix"] else ""
    return {
        "ruleId": found["code"],
        "ruleIndex": 0,
        "level": LEVELS[found["severity"]],
        "message": {"text": visible(f"{found['message']}{fix}")},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: found["fingerprint"]},
    }


def _logical(names: Iterable[str]) -> Iterable[dict[str, str]]:
    return ({"fullyQualifiedName": visible(name), "kind": "element"} for name in names)


def _uri(path: str) -> str:
    """A relative reference: what is no sign of a path is escaped."""
    return quote(path, safe="/")
