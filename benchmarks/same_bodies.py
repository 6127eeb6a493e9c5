"""Whether two revisions have the same functions, wherever they are.

The proof that a commit only moved code.

    python benchmarks/same_bodies.py BEFORE AFTER

Compares the multisets of function bodies as syntax trees, without docstrings and imports; a module's
name inside a text counts as the same wherever it is.
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
    return "\n".join(ast.dump(part) for part in map(WithoutImports().visit, (function.args, *body)) if part)


class WithoutImports(ast.NodeTransformer):
    """Drops imports, and what a text says of a module's place."""

    def visit_Import(self, node: ast.Import) -> None:  # the name that ast asks for
        """Dropped."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Dropped."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """The name of a module is the package's."""
        is_place = isinstance(node.value, str) and node.value.startswith(f"{PACKAGE}.")
        return ast.Constant(PACKAGE) if is_place else node


def git(*arguments: str) -> str:
    """What git prints."""
    return subprocess.run(("git", *arguments), capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
