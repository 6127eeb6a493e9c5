"""The report of a command: the summaries of its models, its findings under the policy, the verdict."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.formats.hashing import file_hash
from weightbridge.model.graph import LayerGraph
from weightbridge.report.values import ModelSummary, Report
from weightbridge.report.verdict import judge
from weightbridge.report.verification import Verification
from weightbridge.views.compact import compact


def judged(
    command: str, prepared: Prepared, options: Options, verification: Verification | None = None
) -> Report:
    """The report of a command that matched two models."""
    report = Report(
        command,
        "pass",
        source=summary(prepared.source, prepared.plan.source_sha256),
        target=summary(prepared.target, prepared.plan.target_sha256),
        plan=prepared.plan,
        findings=prepared.findings,
        verification=verification or Verification(),
        graphs={"source": compact(prepared.source), "target": compact(prepared.target)},
    )
    return judge(report, options)


def asked_for(report: Report, output: Path) -> Report:
    """With the output that was asked for, written or not."""
    return replace(report, asked={**report.asked, "output": str(output)}, wrote=report.wrote or {})


def is_wanted(report: Report, options: Options) -> bool:
    """Whether what was written is kept: it passed, or the user said to go on whatever is found."""
    return not report.exit_code or (options.fail_on == "never" and report.verdict != "error")


def file_entry(path: Path, name: Path | None = None, sha256: str | None = "") -> dict[str, Any]:
    """What was written, by the name that it will have: its size and the hash of its bytes.

    sha256: "" where it is to be computed, None where nobody asks for it.
    """
    found = file_hash(path) if sha256 == "" else sha256
    return {"path": str(name or path), "bytes": path.stat().st_size, "sha256": found}


def summary(graph: LayerGraph, sha256: str | None = None) -> ModelSummary:
    """One side of the report."""
    return ModelSummary(
        path=graph.path,
        format=graph.format,
        producer=graph.producer,
        structure=graph.structure,
        sha256=sha256,
        layers=len(graph.layers),
        tensors=len(graph.tensors),
        parameters=graph.parameters,
    )
