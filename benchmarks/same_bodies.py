"""Whether two revisions have the same functions, wherever they are: the proof that a commit only moved code.

    python benchmarks/same_bodies.py BEFORE AFTER

Compares the multisets of function bodies as syntax trees, without docstrings and imports; a module's name inside a text counts as the same wherever it is.
Exits with 1 where they differ, and names the functions.
"""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

PACKAGE = "weightbridge"


def main() -> None:
    """Compare, print what differs, exit."""
    before, after = (Counter(bodies(revision)) for revision in sys.argv[1:3])
    for mark, rest in (("-", before - after), ("+", after - before)):
        for (name, _), count in sorted(rest.items()):
            print(mark, name, count)
    print(f"{before.total()} functions before, {after.total()} after")
    sys.exit(before != after)


def bodies(revision: str) -> Iterator[tuple[str, str]]:
    """(name, body as a syntax tree) of each function of the package."""
    for path in git("ls-tree", "-r", "--name-only", revision, f"{PACKAGE}/").splitlines():
        if path.endswith(".py"):
            for node in ast.walk(ast.parse(git("show", f"{revision}:{path}"))):
                if isinstance(node, ast.FunctionDef):
                    yield node.name, body_of(node)


def body_of(function: ast.FunctionDef) -> str:
    """The function without its docstring and imports."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    kept = [part for part in body if not isinstance(part, ast.Import | ast.ImportFrom)]
    for node in (n for part in kept for n in ast.walk(part)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{PACKAGE}."):
            node.value = PACKAGE
    return "\n".join(map(ast.dump, (function.args, *kept)))


def git(*arguments: str) -> str:
    """What git prints."""
    return subprocess.run(("git", *arguments), capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
