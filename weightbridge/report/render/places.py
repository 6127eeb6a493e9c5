"""Where a finding lies in the repository: its line in the plan file, else a model's file or the policy."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.report.render.github import relative, relative_path

Json = Mapping[str, Any]
ELSEWHERE = "weightbridge.toml"  # where nothing of the command lies in the repository
TARGET = re.compile(r'"target": ("(?:[^"\\]|\\.)*")')
LARGEST = 256 << 20  # of a plan file that is looked through


@dataclass(frozen=True, slots=True)
class Place:
    """A relative path with `/`, and a line of it."""

    path: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Places:
    """lines: of each target tensor and layer, in the plan file that was given."""

    plan: str
    lines: Mapping[str, int]
    target: str
    source: str
    policy: str

    def of(self, finding: Json) -> Place:
        """The best place for it; never none, for a report with one such is refused whole."""
        line = self.lines.get(finding["target"])
        if self.plan:
            return Place(self.plan, line or 1)
        own = self.target if finding["target"] else self.source
        return Place(own or self.target or self.source or self.policy or ELSEWHERE)


def places(report: Json) -> Places:
    options = report["asked"].get("options", {})
    plan = options.get("plan") if isinstance(options.get("plan"), str) else ""
    policy = options.get("policy") if isinstance(options.get("policy"), str) else ""
    path = relative_path(plan or "")
    return Places(
        plan=path,
        lines=dict(_lines(Path(path), report)) if path else {},
        target=relative(report, "target"),
        source=relative(report, "source"),
        policy=relative_path(policy or ""),
    )


def _lines(path: Path, report: Json) -> Iterator[tuple[str, int]]:
    """A plan file has a step a line; a layer stands at its first step."""
    layers = {step["target"]: step["layer"] for step in report["steps"]}
    found: dict[str, int] = {}
    for number, text in enumerate(_text(path).splitlines(), 1):
        match = TARGET.search(text)
        name = json.loads(match[1]) if match else ""
        if name in layers:
            found.setdefault(layers[name], number)
            found[name] = number
    yield from found.items()


def _text(path: Path) -> str:
    """Nothing where the plan is no longer there."""
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size < LARGEST else ""
    except (OSError, UnicodeDecodeError):
        return ""
