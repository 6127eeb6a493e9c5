"""The findings of a report by code: one group a code, with its numbers and where it is."""

from collections.abc import Callable, Sequence

from weightbridge.errors.diagnostics import SEVERITIES
from weightbridge.report.digest.globs import by_first_part
from weightbridge.report.digest.questions import questions, source_layers
from weightbridge.report.digest.unmatched import unmatched
from weightbridge.report.digest.values import Entry, Group, Json
from weightbridge.report.graphs import parent
from weightbridge.report.words import counted, dimensions, measured, percent

Found = Sequence[Json]
Grouping = Callable[[Json, Found], Group | None]


def groups(report: Json) -> tuple[Group, ...]:
    """Errors first, then by code."""
    by_code: dict[str, list[Json]] = {}
    for found in report["findings"]:
        by_code.setdefault(found["code"], []).append(found)
    made = [_group(report, found) for found in by_code.values()]
    return tuple(sorted(made, key=lambda group: (-SEVERITIES.index(group.severity), group.code)))


def head(found: Found, text: str, **more: object) -> Group:
    """A group of these findings, at the severity of the worst of them."""
    worst = max(found, key=lambda one: SEVERITIES.index(one["severity"]))
    return Group(worst["code"], worst["name"], worst["severity"], text, tuple(found), **more)  # type: ignore[arg-type]


def place_of(found: Json) -> str:
    """`target <- source` of a finding."""
    return " <- ".join(name for name in (found["target"], found["source"]) if name)


def _group(report: Json, found: Found) -> Group:
    code = found[0]["code"]
    is_part = any(one["code"] == code for one in report.get("accepted", ()))  # the rest is accepted
    grouping = None if is_part else GROUPS.get(code)
    group = grouping(report, found) if grouping else None
    return group or _plain(found)


def _plain(found: Found) -> Group:
    """One finding as it is; of several how many there are, and each in a line."""
    fixes = dict.fromkeys(one["fix"] for one in found)
    fix = next(iter(fixes)) if len(fixes) == 1 else ""
    if len(found) == 1:
        return head(found, found[0]["message"], fix=fix)
    layers = dict.fromkeys(one["target"] or one["source"] for one in found)
    number = counted(len(layers), "place") if len(layers) == len(found) else counted(len(found), "finding")
    return head(found, number, entries=tuple(Entry(one["message"]) for one in found), fix=fix)


def _unused(report: Json, found: Found) -> Group | None:
    """WB203: how many tensors have no place, counted by the first part of their names."""
    names = [entry["source"] for entry in report["unused"] if entry["reason"] == "unexplained"]
    if not names:
        return None
    owners = source_layers(report)
    layers = {owners.get(name) or parent(name) for name in names}
    where = counted(len(layers), "layer")
    text = f"{counted(len(names), 'source tensor')} in {where} {_have(len(names))} no place in the target"
    return head(found, text, listed=tuple(by_first_part(names)))


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _unmatched(report: Json, found: Found) -> Group | None:
    """WB202: how many tensors get no source, and which these are by layer."""
    layers = unmatched(report)
    if not layers:
        return None
    steps = [step for mine in layers.values() for step in mine]
    size, parameters = sum(step["size"] for step in steps), report["coverage"]["parameters"]
    share = percent(size / parameters) if parameters else "0.00 %"
    where = counted(len(layers), "layer")
    gets = "gets" if len(steps) == 1 else "get"
    text = f"{counted(len(steps), 'target tensor')} in {where} {gets} no source ({share} of the parameters)"
    entries = tuple(Entry(layer, (_shapes(layer, mine),)) for layer, mine in layers.items())
    return head(found, text, entries=entries)


def _shapes(layer: str, steps: Sequence[Json]) -> str:
    """`kernel 256x48, bias 48`."""
    names = (step["target"].removeprefix(layer).lstrip("/.") or step["target"] for step in steps)
    pairs = zip(names, steps, strict=True)
    return ", ".join(f"{name} {dimensions(step['shape'])}" for name, step in pairs)


def _ambiguous(report: Json, found: Found) -> Group | None:
    """WB204: the questions behind the findings, once for all blocks."""
    asked = questions(report)
    if not asked:
        return None
    layers = sum(question.count for question in asked)
    number = f"{counted(len(asked), 'question')} for {counted(layers, 'layer')}"
    entries = tuple(Entry(question.target, question.answers) for question in asked)
    return head(found, f"{number}: more than one source fits", entries=entries)


def _renamed(_: Json, found: Found) -> Group | None:
    """WB206: how many layers have other names, without the list of them."""
    count, is_other, _names = found[0]["message"].partition(" have other names")
    return head(found, f"{count}{is_other}, all matched") if is_other and len(found) == 1 else None


def _lossy(_: Json, found: Found) -> Group | None:
    """WB302 of another architecture, which the table of stages tells."""
    if not all(one["message"].startswith("stage ") for one in found):
        return None
    start = "starts" if len(found) == 1 else "start"
    return head(
        found, f"{counted(len(found), 'stage')} {start} from selected or repeated kernels: see Stages"
    )


def _differs(report: Json, found: Found) -> Group | None:
    """WB401: by how much the worst comparison of each output exceeds what is allowed."""
    outputs = report["verification"]["outputs"]
    worst = [_worst(outputs, one["target"] or one["source"]) for one in found]
    if None in worst:
        return None
    texts = [text for text in worst if text]
    if len(texts) == 1:
        return head(found, texts[0])
    return head(found, f"{counted(len(texts), 'output')} differ", entries=tuple(map(Entry, texts)))


def _worst(outputs: Sequence[Json], name: str) -> str | None:
    bad = [one for one in outputs if one.get("name") == name and one.get("status") == "differs"]
    if not bad or any(not isinstance(one.get("ratio"), int | float) for one in bad):
        return None
    worst = max(bad, key=lambda one: float(one["ratio"]))
    allowed = f"{measured(worst.get('limit'))} allowed"
    times = f"{measured(worst['ratio'])} times the noise floor"
    return (
        f"{name}: {times} on probe {worst.get('probe')} ({allowed}), max abs {measured(worst.get('max_abs'))}"
    )


GROUPS: dict[str, Grouping] = {
    "WB202": _unmatched,
    "WB203": _unused,
    "WB204": _ambiguous,
    "WB206": _renamed,
    "WB302": _lossy,
    "WB401": _differs,
}
