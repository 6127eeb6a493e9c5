"""The open questions of a report: layers that more than one source fits, once for all blocks alike."""

from weightbridge.boundary.records import dataclass
from weightbridge.report.digest.folding import Row, fold
from weightbridge.report.digest.values import Json


@dataclass(frozen=True, slots=True)
class Question:
    """answers: the chosen source first. count: how many layers it stands for."""

    target: str
    answers: tuple[str, ...]
    count: int


def questions(report: Json) -> tuple[Question, ...]:
    """Steps that share their candidates ask one question, told at the first of them."""
    if not any(found["code"] == "WB204" for found in report["findings"]):
        return ()
    layer_of = source_layers(report)
    asked: dict[frozenset[str], Row] = {}
    for step in report["steps"]:
        if not step["runners_up"] or not step["sources"]:
            continue
        others = (layer_of.get(name, name) for name in step["runners_up"])
        answers = tuple(dict.fromkeys((*step["source_layers"][:1], *others)))
        if len(answers) > 1:
            asked.setdefault(frozenset(answers), Row((step["layer"], *answers)))
    rows = list(asked.values())
    return tuple(Question(one.names[0], one.names[1:], one.count) for one in fold(rows))


def source_layers(report: Json) -> dict[str, str]:
    """The layer of each of the source's tensors."""
    layers = report.get("graphs", {}).get("source", {}).get("layers", ())
    return {tensor: layer[0] for layer in layers for tensor in layer[3]}
