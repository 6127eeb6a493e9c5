"""What a report proves: what was run, compared and read back, a sentence each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.digest.fits import fit_lines
from weightbridge.report.digest.values import Json
from weightbridge.report.words import counted, megabytes, said

HEADERS_ONLY = "nothing was run: {command} reads headers only"
VALUES_ONLY = "nothing was run: {command} reads values, and runs no model"
READS_HEADERS = ("check", "inspect")
PROVING = frozenset({"equal", "differs", "non-finite"})  # outcomes of a comparison


def proven(report: Json) -> tuple[str, ...]:
    """Nothing for an error, and for what proves nothing and says so in its findings."""
    if report["verdict"] == "error":
        return ()
    verification = report["verification"]
    lines = tuple(line for line in _lines(verification) if line)
    if lines:
        return lines
    words = HEADERS_ONLY if report["command"] in READS_HEADERS else VALUES_ONLY
    return (words.format(command=report["command"]),)


def wrote(report: Json) -> str:
    """`OUT.keras, 87.3 MB`; `nothing` where a file was asked for."""
    written = report.get("wrote")
    if written is None:
        return ""
    if not isinstance(written.get("path"), str):
        return "nothing"
    size = written.get("bytes")
    return f"{written['path']}, {megabytes(size)}" if isinstance(size, int) else str(written["path"])


def _lines(verification: Json) -> Iterator[str]:
    outputs, layers, evidence = verification["outputs"], verification["layers"], verification["evidence"]
    if evidence.get("strength"):
        yield said(evidence["strength"])
    if verification["mode"] == "health":
        yield _healthy(outputs, layers, evidence)
    else:
        yield _compared(outputs, "comparison", " of outputs") + _worst(outputs)
        yield _own_rounding(outputs)
        yield _compared(layers, "layer", "")
    yield from (
        f"the {side} was run as it was when it was saved, by {_runs(name)}"
        for side, name in _as_saved(evidence)
    )
    yield from fit_lines(evidence)
    yield _identical(evidence)
    yield "; ".join(part for part in (_read_back(evidence), _controls(evidence)) if part)
    if evidence.get("claim") not in (None, "equal"):
        yield f"not claimed to be equal: {said(evidence['claim'])}"
    if "reason" in evidence:
        reason = said(evidence["reason"]).removeprefix("not run: ").removesuffix(": no model was run")
        yield f"no model was run: {reason}"
    yield from (f"inconclusive: {said(reason)}" for reason in evidence.get("inconclusive") or ())


def _as_saved(evidence: Json) -> tuple[tuple[str, Any], ...]:
    told = evidence.get("as_saved")
    return tuple(told.items()) if isinstance(told, Mapping) else ()


def _runs(name: Any) -> str:
    return "weightbridge's own evaluator" if name == "numpy" else said(name)


def _healthy(outputs: Sequence[Json], layers: Sequence[Json], evidence: Json) -> str:
    """Of a model that equals no other: what its signals are like when it is run."""
    if not outputs:
        return ""
    inputs = counted(len(evidence.get("probes") or ()) or len(outputs), "input")
    bad = [counted(number, what) for what, number in _unhealthy(outputs, layers) if number]
    if bad:
        return f"run on {inputs}: NaN, Inf, or a signal that vanishes or explodes in {' and '.join(bad)}"
    of = f" ({counted(len(layers), 'layer')} looked at)" if layers else ""
    return f"run on {inputs}: no NaN or Inf, no signal vanishes or explodes{of}"


def _unhealthy(outputs: Sequence[Json], layers: Sequence[Json]) -> tuple[tuple[str, int], ...]:
    names = {output.get("name") for output in outputs if output.get("passed") is False}
    return ("output", len(names)), ("layer", sum(layer.get("passed") is False for layer in layers))


def _compared(records: Sequence[Json], what: str, of: str) -> str:
    """`6 of 7 comparisons of outputs equal, 1 proves nothing`."""
    if not records:
        return ""
    counts = Counter(record.get("status") for record in records)
    number = f"{counts['equal']:,} of {counted(len(records), what)}{of} equal"
    bad = counts["differs"] + counts["non-finite"]
    differing = f"{bad:,} {'differs' if bad == 1 else 'differ'}" if bad else ""
    return ", ".join(part for part in (number, differing, in_vain(records)) if part)


def in_vain(records: Sequence[Json]) -> str:
    """`1 proves nothing`, of comparisons whose output is zero, or lost in its own noise."""
    vain = sum(record.get("status") not in PROVING for record in records)
    return f"{vain:,} {'proves' if vain == 1 else 'prove'} nothing" if vain else ""


def _worst(outputs: Sequence[Json]) -> str:
    """How much of what is allowed the worst of them took, where all are equal."""
    shares = [(r["ratio"], r["limit"]) for r in outputs if r.get("ratio") is not None and r.get("limit")]
    if not shares or any(record.get("status") in ("differs", "non-finite") for record in outputs):
        return ""
    ratio, limit = max(shares, key=lambda pair: pair[0] / pair[1])
    return f", at most {ratio:.2f} times the noise floor ({limit:.2f} allowed)"


def _own_rounding(outputs: Sequence[Json]) -> str:
    """Where the floor is the target's own rounding: how it compares, and what float64 says of both."""
    own = [record for record in outputs if record.get("target_noise") and record.get("source_floor")]
    own = [record for record in own if record["floor"] == record["target_noise"] > record["source_floor"]]
    if not own:
        return ""
    times = max(record["target_noise"] / record["source_floor"] for record in own)
    apart = max(record.get("in_float64") or 0.0 for record in own)
    rounds = f"the target's own rounding is the floor of {len(own):,} of them, up to {times:.1f} times"
    return f"{rounds} the source's; in float64 the two are at most {apart:.2g} of the source's floor apart"


def _identical(evidence: Json) -> str:
    """How many tensors of the two are the same, where they were compared."""
    counts = evidence.get("tensors")
    if not isinstance(counts, Mapping):
        return ""
    identical, matched, total = (counts.get(key, 0) for key in ("identical", "matched", "total"))
    parts = [f"{identical:,} of {counted(total, 'tensor')} identical"]
    parts += [f"{matched - identical:,} {'differs' if matched - identical == 1 else 'differ'}"] * (
        matched > identical
    )
    parts += [f"{total - matched:,} without a counterpart"] * (total > matched)
    return ", ".join(parts)


def _read_back(evidence: Json) -> str:
    number = evidence.get("read_back")
    return f"{counted(number, 'tensor')} read back bit by bit" if isinstance(number, int) else ""


def _controls(evidence: Json) -> str:
    controls: Sequence[Any] = evidence.get("controls") or ()
    results = Counter(one.get("result") if isinstance(one, Mapping) else said(one) for one in controls)
    failed = results.pop("failed", 0)
    must = "as it must" if failed == 1 else "as they must"
    parts = [f"{counted(failed, 'wrong model')} failed the same check, {must}"] if failed else []
    parts += [f"{counted(number, 'control')} {said(result)}" for result, number in results.items()]
    return "; ".join(parts)
