"""check and plan: where every tensor would go."""

from typing import Any

from weightbridge.api.arguments import options_of
from weightbridge.api.types import AnyPath, Arguments, Data, Globs, Paths, UserMap
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import Adapt, Depth, FailOn, Progress, silent
from weightbridge.commands.check import check as check_command
from weightbridge.commands.plan import hashed_plan
from weightbridge.plan import Plan
from weightbridge.report.values import Report


@public
def check(
    source: Any,
    target: Any,
    *,
    plan: Plan | AnyPath | None = None,
    map: UserMap = (),
    fresh: Globs = (),
    unused: Globs = (),
    adapt: Adapt | None = None,
    calibrate: Data | None = None,
    depth: Depth | None = None,
    min_coverage: float | None = None,
    map_words: bool = False,
    disambiguate: bool = False,
    dequantize: bool = False,
    rules: Paths = (),
    policy: AnyPath | None = None,
    baseline: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Match two models, plan the transfer and report it. Reads headers only and writes nothing.

    source, target: each a path, `py:package.module:callable`, or a live keras.Model.
    plan: a Plan, or the path of one, to judge instead of a new one.
    map: what belongs together: a dict {source: target} or pairs (source, target), of names of layers or
        tensors or of globs (`*`, `?`, `[...]`, `{a,b}`, `{1..3}`).
    fresh: globs over target tensors that get no source, on purpose.
    unused: globs over source tensors that are left over, on purpose.
    adapt: `none`: equal shapes only; `same` (the default): what differs inside one architecture, such as the
        head or the stem; `weights`: another architecture too; `fit`: the target's layers fitted to what the
        source's say of inputs, by least squares.
    calibrate: inputs that `fit` fits to, and that else BatchNorm's statistics are computed from where
        channels are adapted: an `.npz` with `x`, batch first, and labels `y` where they are known (they are
        only measured on), or these arrays themselves: one array, or a dict. `"noise"` where there are none:
        `fit` is then fitted to smoothed noise, which is worth less.
    depth: what a target with more blocks than the source puts into them. `identity` (the default): what keeps
        the function, where there is such a thing; `last`: copies of the last block; `stack`: all blocks again
        and again; `interlace`: each block several times in its place. Of fewer blocks, which are taken.
    min_coverage: the least share of the target's parameters that must arrive exactly, 0 to 1.
    map_words: rows that stand for words go to their places in the target's vocabulary.
    disambiguate: run the candidates of an ambiguous match and keep the one that computes the same.
    dequantize: the floats of a quantised source are wanted, with what quantising has lost.
    rules: folders with matching rules of your own.
    policy: a TOML file with severities, `min_coverage` and `fail_on`; an argument goes before it.
    baseline: a JSON file of accepted findings, which `weightbridge baseline add` writes.
    fail_on: `error` (the default), `warning` or `never`: from what severity on the verdict is `fail`.
    source_arguments, target_arguments: arguments by name for the callables of `py:` models.
    progress: a function of (stage, done, total), called while it works; total is 0 where it is not known.

    Raises a ModelError where a model cannot be read; UsageError for a wrong argument, a map, glob or plan
    that names nothing, and a plan of other models. What does not fit is no error: it stands in `.findings`.

    >>> report = check("trained.h5", "mine.keras", fresh=["head/*"])
    >>> report.ok, report.coverage.fraction
    """
    return check_command(source, target, options_of(locals(), "source", "target"))


@public
def plan(
    source: Any,
    target: Any,
    *,
    plan: Plan | AnyPath | None = None,
    map: UserMap = (),
    fresh: Globs = (),
    unused: Globs = (),
    adapt: Adapt | None = None,
    calibrate: Data | None = None,
    depth: Depth | None = None,
    min_coverage: float | None = None,
    map_words: bool = False,
    disambiguate: bool = False,
    dequantize: bool = False,
    save_rule: AnyPath | None = None,
    overwrite: bool = False,
    rules: Paths = (),
    policy: AnyPath | None = None,
    baseline: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Plan:
    """The plan that `transfer` would carry out, with the hashes of both models. Writes no model.

    Reads all values once, for the hashes and for what adapters keep of them. `plan.save(path)` writes it as a
    lockfile to review, edit and keep in git; `Plan.load(path)` reads it.

    source, target, plan, map, fresh, unused, adapt, calibrate, depth, min_coverage, map_words,
        disambiguate, dequantize, rules, policy, baseline, fail_on, source_arguments, target_arguments,
        progress: as of `check`.
    save_rule: a `.toml` file to write what the plan is sure of, as a rule for the next model of the family.
    overwrite: replace the file of `save_rule` where it exists.

    Raises what `check` raises; OutputError where `save_rule` cannot be written.

    >>> plan("trained.h5", "mine.keras").save("plan.json")
    """
    rule = None if save_rule is None else path_of("save_rule", save_rule)
    return hashed_plan(source, target, options_of(locals(), "source", "target", "save_rule", "rule"), rule)
