"""Transfer into a live model, all or nothing."""

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.commands.claims import NOT_RUN
from weightbridge.commands.prepare import Prepared, prepare
from weightbridge.commands.prove import prove
from weightbridge.commands.reporting import judged
from weightbridge.commands.rules import rules_of
from weightbridge.errors import OutputError
from weightbridge.model.tensors import Array, Tensor
from weightbridge.options import Options
from weightbridge.planning.hashes import with_content
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.transfer.execute import Ledger, values
from weightbridge.transfer.write import Written, digested, read_back
from weightbridge.verification import Verification


def transfer_live(source: Any, model: Any, options: Options) -> Report:
    """Plan, assign, read back, verify.

    The model keeps its old values where the verdict is no pass, or anything is raised. `fail_on="never"`
    keeps the new values whatever was found, as for a file. The optimizer is left alone either way.
    """
    options = with_policy(options)
    with rules_of(options.rules):
        prepared = prepare(source, model, options)
        plan = with_content(prepared.plan, prepared.source, prepared.target)
        prepared = replace(prepared, plan=plan)
        first = judged("transfer", prepared, options)
        if first.exit_code:
            return first
        with _live().restored_on_failure(model) as keep:
            report = _carried_out(source, model, prepared, options)
            if not report.exit_code:
                keep()
        return report


def _carried_out(source: Any, model: Any, prepared: Prepared, options: Options) -> Report:
    """The model is verified as a copy before and a copy after, so that controls never touch it."""
    with TemporaryDirectory(prefix="weightbridge-") as folder:
        before, after = Path(folder) / "before.keras", Path(folder) / "after.keras"
        reason = _saved(model, before, options)
        written = _assigned(source, model, prepared, after, options)
        reason = reason or _saved(model, after, options)
        findings = (*prepared.findings, *written.findings)
        prepared = replace(prepared, plan=written.plan, findings=findings)
        if reason:
            return judged("transfer", prepared, options, _not_run(written, reason))
        verification, said = prove(source, prepared.source, formats.read(before), written, findings, options)
        return judged("transfer", replace(prepared, findings=(*findings, *said)), options, verification)


def _saved(model: Any, path: Path, options: Options) -> str:
    """Save the model as it is; "", or why there is no copy of it."""
    if not options.verify:
        return NOT_RUN
    try:
        _live().save(model, path)
    except OutputError as error:
        return f"not run: {error.message}"
    return ""


def _assigned(source: Any, model: Any, prepared: Prepared, path: Path, options: Options) -> Written:
    """Set the values and read them back; `path` is that of the copy that is to be verified."""
    ledger = Ledger()
    digests: dict[str, bytes] = {}
    pairs = values(prepared.plan, prepared.source, prepared.target, ledger, options.progress)
    _live().assign(model, digested(_apart(source, model, pairs), digests))
    read_back(_live().read(model), digests)
    return Written(path, ledger.applied_to(prepared.plan), len(digests), tuple(ledger.findings))


def _not_run(written: Written, reason: str) -> Verification:
    return Verification("read-back", evidence={"read_back": written.read_back, "reason": reason})


def _apart(source: Any, model: Any, pairs: Iterable[tuple[Tensor, Array]]) -> Iterable[tuple[Tensor, Array]]:
    """All values read first where source and target share weights: setting one would change the next."""
    is_file = isinstance(source, str | Path)
    return list(pairs) if not is_file and _live().shares_weights(source, model) else pairs


def _live() -> Any:
    return import_module(formats.FORMATS["python"])
