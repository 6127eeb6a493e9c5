"""What to do next: whole commands for each way out, with the options that were given."""

from collections.abc import Iterator, Mapping, Sequence
from json import dumps, loads

from weightbridge.boundary.shell import typeable
from weightbridge.report.digest.globs import LAYERS, fewest
from weightbridge.report.digest.questions import questions
from weightbridge.report.digest.unmatched import unmatched
from weightbridge.report.digest.values import Json, Way

SUFFIXES = {
    "keras-zip": ".keras",
    "keras-json": ".keras",
    "keras-h5": ".h5",
    "keras-h5-weights": ".h5",
    "keras-weights-h5": ".weights.h5",
    "onnx": ".onnx",
    "safetensors": ".safetensors",
    "python": ".keras",
}
PLANNED = ("check", "plan", "transfer")
DECLARABLE = frozenset({"WB202", "WB201"})  # errors that --fresh answers
EVERYTHING = ("--unused", "*")
FLAGS = tuple((name, f"--{name.replace('_', '-')}") for name in ("map_words", "disambiguate", "dequantize"))
ARGUMENTS = (("source_arguments", "--source-arg"), ("target_arguments", "--target-arg"))
OF_A_PLAN = (
    "plan",
    "map",
    "fresh",
    "unused",
    "adapt",
    "depth",
    "map_words",
    "disambiguate",
)  # it holds what they did
REPEATED = tuple((name, f"--{name}") for name in ("rules", "policy", "plan", "map", "fresh", "unused"))


def ways(report: Json) -> tuple[Way, ...]:
    """None where a model cannot be named on a command line, or could not be read."""
    if not (_is_named(report["source"]) and _is_named(report["target"])) or report["verdict"] == "error":
        return ()
    if report["command"] == "verify":
        return tuple(_of_verify(report))
    return tuple(_of_plan(report)) if report["command"] in PLANNED else ()


def options_given(report: Json, without: Sequence[str] = ()) -> tuple[str, ...]:
    """The options of the command that change its result, as they were given."""
    options = report["asked"].get("options", {})
    several = [_repeated(flag, options.get(name)) for name, flag in REPEATED if name not in without]
    found = [part for parts in several for part in parts]
    found += [flag for name, flag in FLAGS if options.get(name) and name not in without]
    found += _all_arguments(options)
    found += [] if options.get("policy") else _repeated("--baseline", options.get("baseline"))
    if "adapt" not in without:
        found += _unless("--adapt", options.get("adapt", "same"), "same")
        found += _repeated("--calibrate", options.get("calibrate"))
        found += _unless("--depth", options.get("depth", "identity"), "identity")
    found += _unless("--fail-on", options.get("fail_on", "error"), "error")
    least = options.get("min_coverage") or 0
    return (*found, *_unless("--min-coverage", f"{least:g}", "0"))


def _unless(flag: str, value: str, default: str) -> list[str]:
    return [] if value == default else [flag, value]


def _repeated(flag: str, value: object) -> list[str]:
    return [part for text in _texts(value) for part in (flag, text)]


def _globs(flag: str, globs: Sequence[str]) -> list[str]:
    return _repeated(flag, [typeable(glob) for glob in globs])


def _all_arguments(options: Json) -> list[str]:
    return [part for name, flag in ARGUMENTS for part in _arguments(flag, options.get(name))]


def _arguments(flag: str, values: object) -> list[str]:
    """`--source-arg k=v`, where v is JSON unless it is a text."""
    pairs = values.items() if isinstance(values, Mapping) else ()
    texts = [f"{name}={value if _reads_as_text(value) else dumps(value)}" for name, value in pairs]
    return _repeated(flag, texts)


def _reads_as_text(value: object) -> bool:
    """Whether a command line that holds this text as it is gives the same value again."""
    if not isinstance(value, str):
        return False
    try:
        loads(value)
    except ValueError:
        return True
    return False


def _texts(value: object) -> list[str]:
    """The values of an option that may be given more than once."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    assert isinstance(value, list)
    return [item if isinstance(item, str) else "=".join(item) for item in value]


def _is_named(model: Json) -> bool:
    return bool(model) and (model["format"] != "python" or model["path"].startswith("py:"))


def _of_plan(report: Json) -> Iterator[Way]:
    errors = {found["code"] for found in report["findings"] if found["severity"] == "error"}
    if report["asked"].get("options", {}).get("plan") == "given":
        return
    if errors - {"WB207"} == {"WB309"}:
        yield from _other_architecture(report)
    elif errors and errors <= DECLARABLE:
        yield from _declare(report)
    elif not errors and report["verdict"] in ("pass", "warn"):
        yield from _go_on(report)


def _other_architecture(report: Json) -> Iterator[Way]:
    """Only where adapting has something to offer, which the finding says, and no gate stands before it."""
    helps = any("--adapt weights" in found["fix"] for found in report["findings"])
    if helps and not report["asked"].get("options", {}).get("min_coverage"):
        given = options_given(report, ("adapt", "unused"))
        options = (*given, *_fresh_head(report), "--adapt", "weights", *EVERYTHING)
        yield from _transfer(report, "to take it as an initialisation, then fine-tune", options)


def _fresh_head(report: Json) -> list[str]:
    """The target's last layer, where it has another size than the source's: it takes nothing."""
    sides = (report.get("graphs", {}).get(side, {}).get("layers", ()) for side in ("source", "target"))
    theirs, ours = ([layer for layer in layers if layer[3]] for layers in sides)
    if not theirs or not ours or theirs[-1][2] == ours[-1][2]:
        return []
    head = ours[-1][3]
    others = [name for layer in ours[:-1] for name in (layer[0], *layer[3])]
    return _globs("--fresh", fewest(head, others, LAYERS))


def _declare(report: Json) -> Iterator[Way]:
    """All --fresh and the fewest --unused in one command, or a map."""
    fresh = fewest(*_to_declare(report), LAYERS)
    if fresh and fresh != ("*",):
        options = (*options_given(report, ("unused",)), *_globs("--fresh", fresh), *_unused(report))
        left = any(entry["reason"] == "unexplained" for entry in report["unused"])
        rest = " and the rest is not needed" if left else ""
        yield from _transfer(report, f"if these layers are new{rest}", options)
    if "--plan" not in options_given(report):
        listing = ("weightbridge", "inspect", report["source"]["path"], *_source_arguments(report))
        yield Way("if a source has another name, find it, and join the two with --map", listing)


def _source_arguments(report: Json) -> list[str]:
    return _arguments("--source-arg", report["asked"].get("options", {}).get("source_arguments"))


def _to_declare(report: Json) -> tuple[list[str], list[str]]:
    """The tensors without a source, and the names that a glob must not meet."""
    names = [step["target"] for mine in unmatched(report).values() for step in mine]
    names += [found["target"] for found in report["findings"] if found["code"] == "WB201"]
    return names, _all_names(report["steps"], "target", "layer", frozenset(names))


def _all_names(steps: Sequence[Json], tensor: str, layer: str, without: frozenset[str]) -> list[str]:
    """The tensors and layers that a glob must not name."""
    rest = [step for step in steps if step[tensor] not in without]
    return [name for step in rest for name in dict.fromkeys((step[tensor], step[layer]))]


def _unused(report: Json) -> tuple[str, ...]:
    """The fewest --unused for what is left over; those that were given stay."""
    given = report["asked"].get("options", {}).get("unused", ())
    kept = _repeated("--unused", given)
    names = [entry["source"] for entry in report["unused"] if entry["reason"] == "unexplained"]
    if not names:
        return tuple(kept)
    taken = [name for step in report["steps"] for name in (*step["sources"], *step["source_layers"])]
    globs = fewest(names, taken)
    if not globs or "*" in globs:
        return EVERYTHING
    return (*kept, *_globs("--unused", globs))


def _go_on(report: Json) -> Iterator[Way]:
    """What passed, or is to be looked at."""
    if report["command"] == "transfer":
        return
    codes = {found["code"] for found in report["findings"]}
    asked = len(questions(report))
    if any("stage" in step["evidence"] for step in report["steps"]):
        yield from _initialise(report)
    elif asked:
        yield from _answer(report, asked)
    elif "WB203" in codes:
        options = (*options_given(report, ("unused",)), *_unused(report))
        yield from _transfer(report, "if what is left over is not needed", options)
    else:
        yield from _transfer(report, "to write it and run both models", options_given(report))


def _initialise(report: Json) -> Iterator[Way]:
    options = (*options_given(report, ("unused",)), *EVERYTHING)
    yield from _transfer(report, "to take it as an initialisation, then fine-tune", options)
    strict = (*options_given(report, ("adapt",)), "--adapt", "none")
    yield _command("to refuse other architectures in CI", "check", report, strict)
    picture = (*options_given(report), "--report", "html=match.html")
    yield _command("to see the match", "check", report, picture)


def _answer(report: Json, asked: int) -> Iterator[Way]:
    if report["command"] == "plan" or "--plan" in options_given(report):
        return
    which = "the question" if asked == 1 else f"the {asked:,} questions"
    head = ("weightbridge", "plan", *_models(report), "plan.json", *options_given(report))
    yield Way(f"to answer {which} and keep the answers in git", head)
    yield from _transfer(report, "then", ("--plan", "plan.json", *options_given(report, OF_A_PLAN)))


def _of_verify(report: Json) -> Iterator[Way]:
    codes = {found["code"] for found in report["findings"]}
    options = report["asked"].get("options", {})
    if report["verdict"] == "fail" and options.get("evidence") != "full" and codes & {"WB401", "WB402"}:
        purpose = "to look closer, with all probes and layers"
        yield _command(purpose, "verify", report, (*_probe(options), "--evidence", "full"))
    if report["verification"]["layers"] and report["verdict"] == "fail":
        picture = (*_probe(options), "--report", "html=verify.html")
        yield _command("to see error against depth", "verify", report, picture)


def _probe(options: Mapping[str, object]) -> tuple[str, ...]:
    return ("--probe", str(options["probe"])) if options.get("probe") else ()


def _transfer(report: Json, purpose: str, options: Sequence[str]) -> Iterator[Way]:
    """Nothing for a target that no writer knows."""
    output = report["asked"].get("output") or _output(report["target"]["format"])
    if output:
        yield Way(purpose, ("weightbridge", "transfer", *_models(report), output, *options))


def _output(format: str) -> str:
    suffix = SUFFIXES.get(format, "")
    return f"OUT{suffix}" if suffix else ""


def _command(purpose: str, command: str, report: Json, options: Sequence[str]) -> Way:
    return Way(purpose, ("weightbridge", command, *_models(report), *options))


def _models(report: Json) -> tuple[str, str]:
    return report["source"]["path"], report["target"]["path"]
