"""The table of WB codes, and Finding: one thing that a user should know, with place and way out."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")


@dataclass(frozen=True, slots=True)
class Code:
    """One diagnostic: stable code and name, default severity, and when it is said."""

    code: str
    name: str
    severity: Severity
    when: str


CODES: dict[str, Code] = {
    c.code: c
    for c in (
        Code(
            "WB101",
            "format-mismatch",
            "warning",
            "the content is another format than the suffix says; it is read as what it is",
        ),
        Code(
            "WB102",
            "legacy-dialect",
            "warning",
            "a Keras 1, 2 or tf.keras file that today's Keras cannot load as it is; names each cause and the fix",
        ),
        Code(
            "WB103",
            "semantics-changed",
            "error",
            "it loads today, but computes something else than when it was saved",
        ),
        Code("WB104", "missing-code", "warning", "needs a custom class or a Lambda to run"),
        Code(
            "WB105",
            "weights-missing",
            "error",
            "the architecture has tensors that the file lacks (never saved, or never built)",
        ),
        Code("WB106", "non-finite", "error", "NaN or Inf among the weights"),
        Code("WB107", "unsupported", "error", "an op, a dtype or a version outside what is supported"),
        Code(
            "WB108",
            "part-of-file",
            "note",
            "the file holds more than one model's weights; says what was read and what was left out",
        ),
        Code(
            "WB109",
            "quantised",
            "error",
            "values that are the weights only together with scales that are not known; a warning where they were applied",
        ),
        Code("WB110", "rewritten", "note", "what a conversion says in other terms than the source does"),
        Code("WB201", "shape-mismatch", "error", "a matched pair whose shapes no exact transform joins"),
        Code("WB202", "unmatched-target", "error", "a target tensor without a source, not declared fresh"),
        Code("WB203", "unused-source", "warning", "a source tensor that nothing uses, not declared"),
        Code(
            "WB204",
            "ambiguous-match",
            "warning",
            "several sources fit as well; names the runners-up and what decided",
        ),
        Code(
            "WB205",
            "shifted-layers",
            "warning",
            "a layer inserted or removed: loading by position would fill wrong layers; says which",
        ),
        Code(
            "WB206",
            "renamed-layers",
            "note",
            "names differ by a prefix, a suffix, a counter or a scheme; says which",
        ),
        Code("WB207", "no-match", "error", "nothing is transferred, or less than --min-coverage asks for"),
        Code(
            "WB208",
            "role-mismatch",
            "error",
            "a tensor would land in another role (beta into gamma, moving mean into scale)",
        ),
        Code("WB209", "collision", "error", "two sources for one target"),
        Code(
            "WB210",
            "order-permuted",
            "warning",
            "the file's own order is not the layer's order; matched by name or role instead",
        ),
        Code(
            "WB211",
            "tied-weights",
            "warning",
            "one tensor in two places on one side, two tensors on the other",
        ),
        Code("WB212", "map-in-part", "warning", "a map's glob meets names that it joins with nothing"),
        Code(
            "WB301",
            "variant-incompatible",
            "error",
            "a different function: no weights make them equal (`reset_after`, ...)",
        ),
        Code(
            "WB302",
            "lossy-adapter",
            "warning",
            "a value that is computed with a loss (an adapter); says how much is kept",
        ),
        Code("WB303", "head-replaced", "note", "class counts differ: the head is mapped by class, or fresh"),
        Code("WB304", "stem-adapted", "note", "input channels differ: how the first kernel was adapted"),
        Code(
            "WB305",
            "folded-batchnorm",
            "note",
            "the source's BatchNorm is folded into its neighbour; how the target's is filled",
        ),
        Code("WB306", "dropped-zero-bias", "note", "an exporter dropped an all-zero bias; filled with zeros"),
        Code("WB307", "precision-loss", "warning", "values overflow or underflow in the target's dtype"),
        Code("WB308", "negative-transfer-risk", "warning", "evidence says that this transfer will not help"),
        Code(
            "WB309",
            "other-architecture",
            "error",
            "the two are different architectures: what corresponds, and the options that adapt nevertheless",
        ),
        Code(
            "WB310",
            "recalibrated",
            "note",
            "BatchNorm statistics are those of the inputs that were given: of how many, and what moved most",
        ),
        Code("WB311", "advice", "note", "how to train the model further: what first, and how fast the rest"),
        Code(
            "WB312",
            "fitted-adapter",
            "note",
            "an adapter was fitted by least squares: on how many inputs, R2",
        ),
        Code(
            "WB401",
            "output-differs",
            "error",
            "outputs differ by more than rounding explains (the noise floor)",
        ),
        Code(
            "WB402",
            "layer-differs",
            "error",
            "this layer, run on the source's own inputs, differs; with the explanation that was confirmed",
        ),
        Code(
            "WB403",
            "hyperparameter-differs",
            "warning",
            "same weights, other function: epsilon, padding, activation, dilation, groups, data format",
        ),
        Code(
            "WB404",
            "layout-suspect",
            "error",
            "a permutation that shapes cannot show: transposed square kernel, Flatten order, gate order",
        ),
        Code("WB405", "non-finite-output", "error", "NaN or Inf in outputs"),
        Code(
            "WB406",
            "ill-conditioned",
            "warning",
            "rounding moves the outputs so far that a fault would not be noticed",
        ),
        Code(
            "WB407",
            "train-mode-differs",
            "warning",
            "equal in inference, not in training: momentum, dropout, trainable flags",
        ),
        Code(
            "WB408",
            "preprocessing-differs",
            "warning",
            "the two expect other inputs: range, channel order, mean and std",
        ),
        Code(
            "WB501", "surviving-mutant", "error", "a deliberate fault in a transferred tensor was not noticed"
        ),
        Code("WB502", "vacuous", "error", "the check also passes for a model that must fail it"),
        Code("WB503", "low-power", "warning", "only large faults would be noticed here; says how large"),
        Code("WB504", "nothing-compared", "error", "no output and no layer was compared"),
        Code("WB590", "stale-baseline", "warning", "a baseline entry that no longer applies"),
        Code(
            "WB901",
            "executable-content",
            "error",
            "running code would be needed to read it (pickle, Lambda, ...): refused",
        ),
        Code(
            "WB902",
            "external-reference",
            "error",
            "points outside itself: HDF5 external link, ONNX external data beyond its folder",
        ),
        Code("WB903", "resource-bomb", "error", "declares or expands to far more than the file holds"),
        Code("WB904", "corrupt", "error", "truncated, or parts that contradict each other"),
        Code("WB905", "missing-file", "error", "there is no such file, or it may not be read"),
        Code(
            "WB906",
            "not-written",
            "error",
            "OUTPUT or a report cannot be written: disk full, no permission, or in the way of something",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnostic about one place.

    source, target: names of tensors or layers, "" where none is meant.
    about: the attribute that is meant, where one is; with code and place it says which finding this is.
    """

    code: str
    message: str
    source: str = ""
    target: str = ""
    fix: str = ""
    severity: Severity = "error"
    about: str = ""

    @property
    def name(self) -> str:
        return CODES[self.code].name

    @property
    def fingerprint(self) -> str:
        """Hash of code and place, without the message's numbers: stable between runs and formats."""
        return _hash(self.code, self.source, self.target, *filter(None, (self.about,)))


def fingerprints(findings: Sequence[Finding]) -> tuple[str, ...]:
    """One for each finding, all different: of two at one place the later one's words count too."""
    prints: dict[str, None] = {}
    for found in findings:
        words = re.sub(r"\d+", "", found.message)
        candidates = chain((found.fingerprint,), (_hash(found.fingerprint, words, "#" * n) for n in count()))
        prints[next(one for one in candidates if one not in prints)] = None
    return tuple(prints)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def finding(
    code: str, message: str, *, source: str = "", target: str = "", fix: str = "", about: str = ""
) -> Finding:
    """A finding with its code's default severity."""
    return Finding(code, message, source, target, fix, CODES[code].severity, about)


def listed(names: Sequence[str], shown: int) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    first = ", ".join(names[:shown])
    return f"{first} and {more} more" if more > 0 else first


def with_severity(found: Finding, severity: Severity) -> Finding:
    return replace(found, severity=severity)


def sorted_findings(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Errors first, then by code and place; duplicates dropped."""
    unique = dict.fromkeys(findings)
    return tuple(
        sorted(unique, key=lambda f: (-SEVERITIES.index(f.severity), f.code, f.target, f.source, f.message))
    )
