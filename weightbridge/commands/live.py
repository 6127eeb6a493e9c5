"""Transfer into a live model, all or nothing."""

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.commands.pipeline import Prepared, judged, prepare
from weightbridge.commands.prove import prove
from weightbridge.commands.rules import rules_of
from weightbridge.errors import OutputError
from weightbridge.model.tensors import Array, Tensor
from weightbridge.options import Options
from weightbridge.planning.file import with_content
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.transfer.execute import Ledger, values
from weightbridge.transfer.write import Written, digested, read_back
from weightbridge.verification import Verification


def transfer(source: Any, model: Any, options: Options) -> Report:
    """Plan, assign, read back, verify. The model keeps its old values where the verdict is no pass, or
    anything is raised.

    `fail_on="never"` keeps the new values whatever was found, as for a file. The optimizer is left alone
    either way.
    """
    options = with_policy(options)
    with rules_of(options.rules):
        return _transferred(source, model, options)


def _transferred(source: Any, model: Any, options: Options) -> Report:
    made = prepare(source, model, options)
    made = replace(made, plan=with_content(made.plan, made.source, made.target))
    first = judged("transfer", made, options)
    if first.exit_code:
        return first
    with _live().restored_on_failure(model) as keep:
        report = _carried_out(source, model, made, options)
        if not report.exit_code:
            keep()
    return report


def _carried_out(source: Any, model: Any, made: Prepared, options: Options) -> Report:
    with TemporaryDirectory(prefix="weightbridge-") as folder:
        before = Path(folder) / "before.keras"
        reason = _copied(model, before, options)
        ledger, digests = Ledger(), dict[str, bytes]()
        pairs = values(made.plan, made.source, made.target, ledger, options.progress)
        _live().assign(model, digested(_apart(source, model, pairs), digests))
        read_back(_live().read(model), digests)
        written = Written(
            before.with_name("after.keras"),
            ledger.applied_to(made.plan),
            len(digests),
            tuple(ledger.findings),
        )
        made = replace(made, plan=written.plan, findings=(*made.findings, *written.findings))
        if not reason:
            reason = _copied(model, written.path, options)
        if reason:
            return judged("transfer", made, options, _unrun(written, reason))
        proof, said = prove(source, made.source, formats.read(before), written, made.findings, options)
        return judged("transfer", replace(made, findings=(*made.findings, *said)), options, proof)


def _copied(model: Any, path: Path, options: Options) -> str:
    """Save the model as it is: it is verified as a copy, so that controls can be built without touching it.
    "" or why there is none.
    """
    if not options.verify:
        return "--no-verify: no model was run"
    try:
        _live().save(model, path)
    except OutputError as error:
        return f"not run: {error.message}"
    return ""


def _unrun(written: Written, reason: str) -> Verification:
    return Verification("read-back", evidence={"read_back": written.read_back, "reason": reason})


def _apart(source: Any, model: Any, pairs: Iterable[tuple[Tensor, Array]]) -> Iterable[tuple[Tensor, Array]]:
    """All values read first where source and target share weights: setting one would change what is still to
    be read.
    """
    is_file = isinstance(source, str | Path)
    return list(pairs) if not is_file and _live().shares_weights(source, model) else pairs


def _live() -> Any:
    return import_module(formats.FORMATS["python"])
