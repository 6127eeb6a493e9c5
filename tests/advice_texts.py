"""All texts of the package that are given as a fix, found in its syntax: a new one is found by itself."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import weightbridge
from weightbridge.cli.group import COMMANDS

PACKAGE = Path(weightbridge.__file__).parent
RULES = (PACKAGE.parent / "rules", PACKAGE / "rules")
COMMAND = re.compile(
    rf"(?<![\w-])--[a-z]|\bweightbridge ({'|'.join(COMMANDS)})\b|`|\bpip |\bpython -m |\bafter=|\bplan=\""
)
DEEPEST = 6


def fixes() -> dict[str, str]:
    """The place of every fix, by its text with {} for what is filled in."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree, place = _parsed(path), str(path.relative_to(PACKAGE))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            for keyword in call.keywords:
                if keyword.arg == "fix":
                    for text in _texts(keyword.value, path, DEEPEST):
                        found.setdefault(text, place)
    for folder in RULES:
        for path in sorted(folder.rglob("*.toml")):
            fix = tomllib.loads(path.read_text(encoding="utf-8")).get("fix")
            if isinstance(fix, str):
                found.setdefault(fix, path.name)
    return {text: place for text, place in found.items() if _is_sentence(text)}


def _is_sentence(text: str) -> bool:
    """Not a name, nor a text of placeholders alone."""
    return " " in text.strip() and len(re.findall(r"[a-z]{2,}", text)) > 1


def is_command(text: str) -> bool:
    """Whether it names an option, a command or a call that can be tried as it is printed."""
    return bool(COMMAND.search(text))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _texts(node: ast.expr, path: Path, depth: int) -> Iterator[str]:
    """The texts that an expression may give."""
    if depth == 0:
        return
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(map(_filled, parts))
        case ast.BinOp(left=left, right=right):
            rights = list(_texts(right, path, depth - 1)) or ["{}"]
            for start in list(_texts(left, path, depth - 1)) or ["{}"]:
                yield from (start + end for end in rights)
        case ast.Call():
            yield from _of_call(node, path)
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            yield from _named(name, path, depth - 1)
            yield from _in_table(name, path)
    for inner in _inside(node):
        yield from _texts(inner, path, depth - 1)


def _inside(node: ast.expr) -> list[ast.expr]:
    """The expressions of which this one gives one, or puts several together."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            return [body, other]
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            return parts
        case ast.JoinedStr(values=parts):
            return [part.value for part in parts if isinstance(part, ast.FormattedValue)]
        case ast.Call(func=ast.Attribute(attr="join"), args=[joined]):
            return [joined]
    return []


def _of_call(node: ast.Call, path: Path) -> Iterator[str]:
    match node.func:
        case ast.Name(id=name) if name != "option":
            yield from _returned(name, path)
        case ast.Attribute(value=ast.Name(id=name), attr="get"):
            yield from _in_table(name, path)


def _filled(part: ast.expr) -> str:
    """A part of an f-string; `option('--map', ...)` as it is printed."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    match part:
        case ast.FormattedValue(
            value=ast.Call(func=ast.Name(id="option"), args=[ast.Constant(value=name), _])
        ):
            return f"{name} '{{}}'"
    return "{}"


def _named(name: str, path: Path, depth: int) -> Iterator[str]:
    """What a name is given anywhere in the module, or in that which it comes from."""
    tree = _parsed(path)
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        is_given = isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None
        if is_given and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            yield from _texts(node.value, path, depth)
    home = _home(name, tree)
    if home is not None:
        yield from _named(name, home, depth)


def _home(name: str, tree: ast.Module) -> Path | None:
    for node in tree.body:
        is_ours = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("weightbridge")
        if is_ours and any(alias.name == name for alias in node.names):
            place = PACKAGE.parent.joinpath(*str(node.module).split("."))
            return place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
    return None


def _returned(name: str, path: Path) -> Iterator[str]:
    """Every text in a function of the module, but its docstring."""
    functions = [n for n in _parsed(path).body if isinstance(n, ast.FunctionDef) and n.name == name]
    for function in functions:
        has_docstring = ast.get_docstring(function) is not None
        nodes = [node for part in function.body[int(has_docstring) :] for node in ast.walk(part)]
        inner = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in inner:
                yield from (text for text in _texts(node, path, 1) if " " in text.strip())


def _in_table(name: str, path: Path) -> Iterator[str]:
    for node in _parsed(path).body:
        value = getattr(node, "value", None)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(value, ast.Dict) and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            for entry in value.values:
                yield from _texts(entry, path, 2)
