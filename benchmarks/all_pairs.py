"""All ordered pairs of the models at hand: does any check end in a bug, or claim what names contradict?

    python benchmarks/all_pairs.py [--models FOLDER ...] [--every N] [--option TEXT ...] [--show N]

Each pair is checked (nothing is run or written). It lists the pairs that end with exit code 70, and the steps
above 0.9 whose tensor's role or layer contradicts its name: a bias from a mean, a query from a key, a layer
that has a namesake on the other side and takes another's values. Names are judged by words of this script's
own, not by those that the matching knows. Exits with 1 where there is a hit.
"""

import multiprocessing
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from json import loads
from pathlib import Path
from typing import Any

import click
from replay import FOLDERS, ROOT, models_in, run

BUG = 70
SURE = 0.9
Step = Mapping[str, Any]
Pair = tuple[str, str]
# What a tensor's last word says, and what words of its layer say. Words of one row exclude each other.
ROLES: Mapping[str, frozenset[str]] = {
    "shift": frozenset({"bias", "beta", "b", "offset"}),
    "scale": frozenset({"gamma", "scale"}),
    "mean": frozenset({"mean", "running_mean", "moving_mean"}),
    "variance": frozenset({"var", "variance", "running_var", "moving_variance"}),
    "recurrent": frozenset({"recurrent_kernel", "weight_hh"}),
    "depthwise": frozenset({"depthwise_kernel"}),
    "table": frozenset({"embeddings", "embedding"}),
    "kernel": frozenset({"kernel", "pointwise_kernel", "w"}),
}
LAYERS: tuple[Mapping[str, frozenset[str]], ...] = (
    {
        "query": frozenset({"query", "q", "q_proj", "wq"}),
        "key": frozenset({"key", "k", "k_proj", "wk"}),
        "value": frozenset({"value", "v", "v_proj", "wv"}),
    },
    {
        "conv": frozenset({"conv", "conv1d", "conv2d", "conv3d", "depthwise"}),
        "dense": frozenset({"dense", "fc", "linear"}),
        "norm": frozenset({"bn", "batchnorm", "batch_normalization", "layernorm", "layer_norm"}),
        "lstm": frozenset({"lstm"}),
        "gru": frozenset({"gru"}),
        "embedding": frozenset({"embedding", "embeddings"}),
    },
)
# Names that are counted as layers are made say nothing of the layers of another model.
COUNTED = re.compile(
    r"((separable_|depthwise_)?conv\d?d(_transpose)?|dense|batch_normalization|layer_normalization"
    r"|lstm|gru|simple_rnn|embedding|p_re_lu)(_\d+)?|\d+"
)
# What may be one and the same: a product is a convolution of one place.
JOINS = (frozenset({"conv", "dense"}),)


@click.command(help=__doc__.partition("\n")[0])
@click.option("--models", "folders", multiple=True, help="Folders with models, relative to the checkout.")
@click.option("--every", default=1, show_default=True, help="Take every Nth pair only.")
@click.option("--option", "options", multiple=True, help="Handed on to every check, as --option=--adapt.")
@click.option("--show", default=20, show_default=True, help="How many hits of one kind to show.")
@click.option("--processes", default=2, show_default=True)
def cli(folders: tuple[str, ...], every: int, options: tuple[str, ...], show: int, processes: int) -> None:
    """Check all pairs, and print a line a hit and the sums."""
    os.chdir(ROOT)
    models = list(models_in(folders or FOLDERS))
    pairs = [pair for pair in product(models, models) if pair[0] != pair[1]][::every]
    click.echo(f"{len(models)} models, {len(pairs)} pairs", err=True)
    counts, said = Counter[str](), Counter[str]()
    with multiprocessing.Pool(processes, maxtasksperchild=100) as pool:
        results = pool.imap(partial(checked, options), pairs, chunksize=8)
        for done, (pair, hits, sums) in enumerate(results, 1):
            counts.update(sums)
            if done % 500 == 0:
                click.echo(f"{done} of {len(pairs)}", err=True)
            for kind, text in hits:
                said[kind] += 1
                if said[kind] <= show:
                    click.echo(f"{kind}: {pair[0]} -> {pair[1]}: {text}")
    click.echo(", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())))
    click.echo(", ".join(f"{n:,} {kind}" for kind, n in said.items()) or "no hit")
    sys.exit(1 if said else 0)


def checked(options: tuple[str, ...], pair: Pair) -> tuple[Pair, list[tuple[str, str]], Counter[str]]:
    """What one check gives: hits as (kind, text), and what was counted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        code = run("check", *pair, "--report", f"json={path}", "--no-progress", *options)
        report = loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    steps = [step for step in report.get("steps", ()) if step["sources"]]
    sure = [step for step in steps if step["confidence"] > SURE]
    names = frozenset(used(report))
    hits = [("contradiction", text) for step in sure for text in contradictions(step, names)]
    hits += [("exit 70", "a bug")] if code == BUG else []
    return pair, hits, Counter({f"exit {code}": 1, "steps": len(steps), "steps above 0.9": len(sure)})


def used(report: Mapping[str, Any]) -> Iterator[str]:
    """The names of the source's tensors."""
    for step in report.get("steps", ()):
        yield from step["sources"]
    yield from (entry["source"] for entry in report.get("unused", ()))


def contradictions(step: Step, sources: frozenset[str]) -> Iterator[str]:
    """What the names of a step say against it; the sources are all tensors of the source."""
    target, evidence = step["target"], step["evidence"]
    told = f"{target} <- {', '.join(step['sources'])} ({step['confidence']:.2f}, {'+'.join(evidence)})"
    is_counted = COUNTED.fullmatch(re.split(r"[./:]", target)[0]) is not None
    if target in sources and target not in step["sources"] and not is_counted:
        yield f"has a namesake: {told}"
    if len(step["sources"]) != 1:
        return
    (source,) = step["sources"]
    ours, theirs = role(source), role(target)
    if ours and theirs and ours != theirs:
        yield f"{theirs} from {ours}: {told}"
    if "folded" in evidence:
        return  # a norm in a layer's bias, or out of it
    for row in LAYERS:
        mine, other = kinds(source, row), kinds(target, row)
        if mine and other and not mine & other and mine | other not in JOINS:
            yield f"{'/'.join(sorted(other))} from {'/'.join(sorted(mine))}: {told}"


def role(name: str) -> str:
    """What the last word of a name says it is, "" for nothing."""
    last = re.split(r"[./:]", re.sub(r"(_l\d+)?(:\d+)?$", "", name))[-1].lower()
    return next((kind for kind, words in ROLES.items() if last in words), "")


def kinds(name: str, row: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """What the words of the layer's name say, of one row; the nearest part of the name that says anything."""
    for part in reversed(re.split(r"[./:]", name.lower())[:-1]):
        words = {part, re.sub(r"[_\d]+$", "", part), *re.split(r"[_\d]+", part)}
        found = frozenset(kind for kind, known in row.items() if words & known)
        if found:
            return found
    return frozenset()


if __name__ == "__main__":
    cli()
