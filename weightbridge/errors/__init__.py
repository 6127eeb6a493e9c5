"""The one tree of exceptions: what is wrong with a file, an argument or a model.

    WeightbridgeError
        UsageError            2   arguments, plan, policy, rules or data file
            PlanError             a plan that is malformed, or whose models have changed
            RuleError             a rule file that is wrong, or two rules that disagree
        ModelError            4   a model that cannot be read
            MissingFile           WB905
            Unsupported           WB107
            Quantised             WB109
            UnsafeContent         WB901
            ExternalReference     WB902
            ResourceBomb          WB903
            Corrupt               WB904
        OutputError           5   WB906: OUTPUT or a report cannot be written
        RunError              1   a model cannot be run on the probes
        VerdictError          1   a verdict that is no pass: transfer, Report.raise_for_verdict()

A message has four parts: what, where (the tensor's path in its file), expected and got, what to do next.
Bugs are AssertionError and no part of the tree.
"""

from typing import Any, ClassVar


class WeightbridgeError(Exception):
    """Anything that is wrong with a file, an argument or a model.

    `code` is the WB code ("" where none applies), `fix` what to do next, `where` the path of the thing at
    fault.
    """

    code: str = ""
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.fix = message, where, fix

    def __str__(self) -> str:
        text = self.message
        if self.where and not text.startswith(self.where):
            text = f"{self.where}: {text}"
        if not self.fix:
            return text
        is_command = self.fix.startswith("weightbridge ")
        fix = self.fix if is_command else self.fix[0].upper() + self.fix[1:]
        return f"{text}{'' if text.endswith('?') else '.'} {fix}"


class UsageError(WeightbridgeError):
    exit_code = 2


class PlanError(UsageError):
    pass


class RuleError(UsageError):
    pass


class ModelError(WeightbridgeError):
    exit_code = 4


class MissingFile(ModelError):
    code = "WB905"


class Unsupported(ModelError):
    code = "WB107"


class Quantised(ModelError):
    code = "WB109"


class UnsafeContent(ModelError):
    code = "WB901"


class ExternalReference(ModelError):
    code = "WB902"


class ResourceBomb(ModelError):
    code = "WB903"


class Corrupt(ModelError):
    code = "WB904"


class OutputError(WeightbridgeError):
    code = "WB906"
    exit_code = 5


class RunError(WeightbridgeError):
    code = "WB107"


class VerdictError(WeightbridgeError):
    """A command that ran, and whose verdict is no pass. `report` is its Report; `code` its first error's."""

    def __init__(self, message: str, *, report: Any = None, code: str = "", fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.report, self.code = report, code
