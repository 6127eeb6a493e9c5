"""What a fit is worth, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.words import counted, percent

Json = Mapping[str, Any]


def fit_of(evidence: Json) -> Json | None:
    """The fit of a verification's evidence, None where it has none."""
    found = evidence.get("fit")
    return found if isinstance(found, Mapping) else None


def fit_lines(evidence: Json) -> Iterator[str]:
    """How the stages were paired; on inputs that were not fitted to, the target beside its controls."""
    fit = fit_of(evidence)
    if fit is None:
        return
    if fit.get("score") is not None:
        yield from _trial(fit)
    yield from _worth(fit, fit.get("arms") or ())


def _trial(fit: Json) -> Iterator[str]:
    """What was known before the fit itself: by fits on some of the inputs, judged on others of them."""
    score = f"R2 {fit['score']:.2f} of the source's logits on held-out inputs"
    tried = _tried(fit.get("tried") or {})
    yield f"stages by {fit.get('way', '')}: {score}, by a fit on some inputs ({tried})"
    control = fit.get("control")
    if control is not None:
        over = f"{fit['score'] - control:+.2f} over R2 {control:.2f} of the best start without the source"
        yield f"what the source is worth here, by that fit: {over}"


def _tried(tried: Mapping[str, float | None]) -> str:
    return ", ".join(f"{way} {'NaN' if score is None else f'{score:.2f}'}" for way, score in tried.items())


def _worth(fit: Json, arms: Sequence[Json]) -> Iterator[str]:
    if not arms:
        return
    mine, *others = arms
    yield (
        f"on {counted(fit['judged_on'], 'input')} that nothing was fitted to, the target agrees with the "
        f"source for {percent(mine['agreement'])} (logits R2 {mine['logit_r2']:.2f}); controls: "
        + "; ".join(f"{one['name']} {percent(one['agreement'])} ({one['logit_r2']:.2f})" for one in others)
    )
    if mine["accuracy"] is not None and fit.get("source_accuracy") is not None:
        beside = "; ".join(f"{one['name']} {percent(one['accuracy'] or 0)}" for one in others)
        yield (
            f"by the labels it is right for {percent(mine['accuracy'])}, the source for "
            f"{percent(fit['source_accuracy'])}; controls: {beside}"
        )
