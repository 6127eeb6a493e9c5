"""Record and replay: what the tool says and writes for all ordered pairs of the models at hand, so that a
redesign can show that nothing changed.

    python benchmarks/replay.py record BEFORE.jsonl.gz [--models FOLDER ...] [--every N]
    python benchmarks/replay.py record AFTER.jsonl.gz
    python benchmarks/replay.py compare BEFORE.jsonl.gz AFTER.jsonl.gz [--show N]

A record has, for each model, the report of `inspect`, and for each pair the plan file, the reports as JSON
and as text and the exit code of `plan`,
and of `transfer --no-verify` the exit code and the hash of OUTPUT where the plan has no error. `compare`
exits with 1 where anything differs.
"""

import gzip
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[1]
FOLDERS = ("examples/models", "fixtures/keras2", "fixtures/tensorflow", "fixtures/torch", "../shared/models")
FILES = frozenset({".h5", ".hdf5", ".keras", ".onnx", ".pth", ".pt", ".safetensors", ".tflite", ".index"})
OUTPUTS = {".keras": ".keras", ".h5": ".h5", ".hdf5": ".h5", ".onnx": ".onnx", ".safetensors": ".safetensors"}
Job = tuple[str, ...]  # ("inspect", model) or ("plan", source, target)


@click.group(help=__doc__.partition("\n")[0])
def cli() -> None:
    """The two commands."""


@cli.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--models", "folders", multiple=True, help="Folders with models, relative to the checkout.")
@click.option("--every", default=1, show_default=True, help="Take every Nth pair only.")
def record(output: Path, folders: tuple[str, ...], every: int) -> None:
    """Run all jobs on two processes and write what came of them."""
    os.chdir(ROOT)
    models = list(models_in(folders or FOLDERS))
    pairs = [("plan", source, target) for source in models for target in models if source != target]
    jobs = [*(("inspect", model) for model in models), *pairs[::every]]
    click.echo(f"{len(models)} models, {len(jobs)} jobs", err=True)
    with (
        multiprocessing.Pool(2, maxtasksperchild=100) as pool,
        gzip.open(output, "wt", encoding="utf-8") as file,
    ):
        for entry in pool.imap(result_of, jobs, chunksize=8):
            file.write(json.dumps(entry) + "\n")


@cli.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--show", default=5, show_default=True, help="How many differences to show in full.")
def compare(before: Path, after: Path, show: int) -> None:
    """List the jobs whose results differ, the first of them with their lines."""
    old, new = entries(before), entries(after)
    differing = [job for job in sorted(old.keys() & new.keys()) if old[job] != new[job]]
    for job in differing[:show]:
        click.echo("\n".join([" ".join(job), *differences(old[job], new[job])]))
    for job in differing[show:]:
        click.echo(" ".join(job))
    alone = len(old.keys() ^ new.keys())
    click.echo(
        f"{len(old.keys() & new.keys())} jobs in both, {len(differing)} differ, {alone} in one record alone"
    )
    sys.exit(1 if differing or alone else 0)


def models_in(folders: Iterable[str]) -> Iterator[str]:
    """Model files by suffix, and folders with a SavedModel, in a fixed order."""
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.name == "saved_model.pb":
                yield str(path.parent)
            elif path.suffix in FILES and not is_inside_saved_model(path):
                yield str(path)


def is_inside_saved_model(path: Path) -> bool:
    """Whether it is the checkpoint inside a SavedModel's folder."""
    return any((parent / "saved_model.pb").exists() for parent in path.parents)


def result_of(job: Job) -> dict[str, Any]:
    """What one job gives, by the name of each result."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        results = inspected(job[1], work) if job[0] == "inspect" else planned(job[1], job[2], work)
    return {"job": job, "results": results}


def inspected(model: str, work: Path) -> dict[str, Any]:
    """The exit code and reports of `inspect`."""
    code = run("inspect", model, *reports(work))
    return {"exit": code, **texts(work)}


def planned(source: str, target: str, work: Path) -> dict[str, Any]:
    """The exit code, plan and reports of `plan`; where it ends well, what `transfer` writes."""
    code = run("plan", source, target, str(work / "plan.json"), *reports(work))
    results: dict[str, Any] = {"exit": code, **texts(work)}
    suffix = OUTPUTS.get(Path(target).suffix)
    if code == 0 and suffix is not None:
        output = work / f"output{suffix}"
        results["transfer"] = run(
            "transfer", source, target, str(output), "--no-verify", "--quiet", "--no-progress"
        )
        results["output"] = hashlib.sha256(output.read_bytes()).hexdigest() if output.exists() else None
    return results


def reports(work: Path) -> Sequence[str]:
    """Both reports, to files."""
    return (
        "--report",
        f"json={work / 'report.json'}",
        "--report",
        f"text={work / 'report.txt'}",
        "--no-progress",
    )


def texts(work: Path) -> dict[str, str | None]:
    """The contents of the files that a command may have written."""
    names = ("plan.json", "report.json", "report.txt")
    return {name: (work / name).read_text(encoding="utf-8") for name in names if (work / name).exists()}


def run(*arguments: str) -> int:
    """The exit code of one command of this checkout, run in this process with its messages thrown away."""
    sys.path.insert(0, str(ROOT))
    from weightbridge.cli import main

    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        kept = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = nowhere
        try:
            main(arguments)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout, sys.stderr = kept


def entries(path: Path) -> dict[Job, dict[str, Any]]:
    """A record by its jobs."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return {tuple(entry["job"]): entry["results"] for entry in map(json.loads, file)}


def differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """The results that differ, as lines."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            lines = unified_diff(
                str(before).splitlines(), str(after).splitlines(), "before", "after", n=1, lineterm=""
            )
            yield from (f"  {name}: {line}" for line in list(lines)[:40])


if __name__ == "__main__":
    cli()
