"""Start-up stays light, frameworks stay in formats/, and imports go down the layers."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "weightbridge"
FRAMEWORKS = {"tensorflow", "keras", "onnx", "onnxruntime", "torch", "tf2onnx"}
HEAVY = {"numpy", "h5py", "networkx", *FRAMEWORKS}
SLOW_TO_START = {"scipy", "networkx", "rich", "jinja2", "einops", *FRAMEWORKS}

LISTING = """
import sys
from weightbridge.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def modules_after(*arguments: str) -> set[str]:
    """The top-level modules that a command has imported when it ends."""
    return {name.split(".")[0] for name in listed_after(*arguments)}


def listed_after(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr.split()


def imported(source: str) -> set[str]:
    """The top-level names that a module's source imports, by statement or by import_module with a literal
    name.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name.split(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.split(".")[0])
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.add(name.split(".")[0])
    return found


@pytest.mark.parametrize("arguments", [("--help",), ("rules", "list")], ids=" ".join)
def test_the_lightest_commands_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert modules_after(*arguments) & HEAVY == set()


def test_a_plain_check_imports_nothing_that_only_other_commands_need() -> None:
    models = ROOT / "examples" / "models"
    loaded = modules_after("check", str(models / "trained.h5"), str(models / "mine.keras"), "--no-progress")
    assert loaded & SLOW_TO_START == set()


@pytest.mark.parametrize(
    ("model", "suffix"), [("old.h5", ".keras"), ("torch.onnx", ".keras"), ("mine.keras", ".onnx")]
)
def test_a_conversion_that_proves_nothing_imports_nothing_to_prove_it(
    model: str, suffix: str, tmp_path: Path
) -> None:
    path = str(ROOT / "examples" / "models" / model)
    loaded = modules_after("convert", path, str(tmp_path / f"new{suffix}"), "--no-verify", "--no-progress")
    assert loaded & SLOW_TO_START == {"einops"}  # which moves the axes


def test_a_conversion_of_onnx_reads_no_tensorflow_graphs(tmp_path: Path) -> None:
    model, output = ROOT / "examples" / "models" / "torch.onnx", tmp_path / "new.keras"
    convert = f"wb.convert({str(model)!r}, {str(output)!r}, verify=False)"
    script = f"import sys, weightbridge as wb; {convert}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert [name for name in done.stdout.split() if name.startswith("weightbridge.formats.tensorflow.")] == []


@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        (("inspect", "torch.onnx"), 215),
        (("check", "trained.h5", "mine.keras"), 340),
        (("convert", "torch.onnx", "new.keras", "--no-verify"), 380),
        (("convert", "old.h5", "new.keras", "--no-verify"), 270),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_a_command_imports_no_more_of_our_modules(
    arguments: tuple[str, ...], most: int, tmp_path: Path
) -> None:
    """Each costs a third of a millisecond, used or not: the start is most of a command."""
    models = ROOT / "examples" / "models"
    places = [str(tmp_path / x if x == "new.keras" else models / x) if "." in x else x for x in arguments]
    loaded = [name for name in listed_after(*places, "--no-progress") if name.startswith("weightbridge")]
    assert most - 60 < len(loaded) <= most


@pytest.mark.parametrize(
    "path",
    sorted(p for p in PACKAGE.rglob("*.py") if "formats" not in p.parts),
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_frameworks_are_imported_in_formats_alone(path: Path) -> None:
    assert imported(path.read_text()) & FRAMEWORKS == set()


@pytest.mark.parametrize(
    "source",
    [
        "import keras",
        "from keras import layers",
        "def f():\n    import tensorflow.lite",
        "import_module('torch.nn')",
        "importlib.import_module('onnx')",
    ],
)
def test_a_framework_import_is_noticed(source: str) -> None:
    assert imported(source) & FRAMEWORKS


def test_imports_go_down_the_layers() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_file_comes_back_to_itself() -> None:
    imports: nx.DiGraph[str] = nx.DiGraph(
        {name: sorted(_of_package(path) & MODULES.keys()) for name, path in MODULES.items()}
    )
    assert list(nx.simple_cycles(imports)) == []


def test_the_package_has_few_entries_at_its_top() -> None:
    entries = [path.name for path in PACKAGE.iterdir() if not path.name.startswith(("__pycache__", "."))]
    assert len(entries) <= 26, sorted(entries)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _of_package(path: Path) -> set[str]:
    """The modules that a file imports, but for those that it needs for annotations alone."""
    found = set()
    for node in _nodes(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                parts = {f"{module}.{alias.name}" for alias in names}
                found |= parts & MODULES.keys() or {module}
    return found


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _nodes(child)


MODULES = {_module(path): path for path in PACKAGE.rglob("*.py")}
