"""`py:package.module:callable`: the only place where the user's code is imported and called."""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any

from weightbridge.errors import Unsupported, UsageError

FORM = "py:package.module:callable"


def is_code(model: Any) -> bool:
    return isinstance(model, str) and model.startswith("py:")


def call(spec: str, arguments: Mapping[str, Any]) -> Any:
    """Import the module, with the working directory on the path, call the callable, and return what it gives.

    What the code prints goes to standard error. Raises UsageError for a spec or arguments that fit nothing;
    Unsupported, with the place, where the code itself fails.
    """
    module_name, name = _parsed(spec)
    with _importable(), redirect_stdout(sys.stderr):
        function = _attribute(_module(module_name, spec), name, spec)
        return _called(function, arguments, spec)


def _parsed(spec: str) -> tuple[str, str]:
    module_name, colon, name = spec.removeprefix("py:").partition(":")
    if not (
        spec.startswith("py:")
        and colon
        and all(p.isidentifier() for p in (*module_name.split("."), *name.split(".")))
    ):
        raise UsageError(
            f"not of the form {FORM}",
            where=spec,
            fix="Give an importable module and the name of a function in it",
        )
    return module_name, name


@contextmanager
def _importable() -> Iterator[None]:
    """The working directory first on the path, as `python -m` has it."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _module(name: str, spec: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            fix = f"Run it in the folder that holds {name.split('.', maxsplit=1)[0]}, or install it"
            raise UsageError(f"there is no module {error.name!r}", where=spec, fix=fix) from error
        raise _failed(error, spec, "cannot be imported") from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise _failed(error, spec, "cannot be imported") from error


def _attribute(module: Any, name: str, spec: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        names = sorted(n for n, value in vars(module).items() if callable(value) and not n.startswith("_"))
        raise UsageError(
            f"the module has no callable {name!r}",
            where=spec,
            fix=f"It has {', '.join(names[:10]) or 'none'}",
        )
    return found


def _called(function: Any, arguments: Mapping[str, Any], spec: str) -> Any:
    try:
        return function(**arguments)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        if isinstance(error, TypeError) and len(traceback.extract_tb(error.__traceback__)) == 1:
            fix = "Give its arguments with --source-arg or --target-arg k=v"
            raise UsageError(
                f"cannot be called with {sorted(arguments) or 'no arguments'}: {error}", where=spec, fix=fix
            ) from error
        raise _failed(error, spec, "fails") from error


def _failed(error: BaseException, spec: str, what: str) -> Unsupported:
    """The error's last line, and the last place in the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f
        for f in frames
        if "site-packages" not in f.filename and not f.filename.startswith("<") and f.filename != __file__
    ]
    place = f" ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({os.path.basename(error.filename)}, line {error.lineno})"
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return Unsupported(
        f"the code {what}: {type(error).__name__}: {lines[-1][:300]}{place}",
        where=spec,
        fix="Mend it, then run this again",
    )
