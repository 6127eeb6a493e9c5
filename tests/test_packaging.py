"""The package as users get it.

Sdist, the wheel from it, a clean environment with the base dependencies alone.
"""

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == status, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a clean environment that has the wheel and its base dependencies."""
    folder = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    bin_folder = folder / "venv" / "bin"
    run(
        bin_folder / "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        next(built.glob("*.whl")),
        cwd=folder,
    )
    return bin_folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two safetensors files with the same names, other values."""
    random = np.random.default_rng(0)
    paths = tmp_path / "source.safetensors", tmp_path / "target.safetensors"
    for path in paths:
        save_file(
            {
                "a.weight": random.standard_normal((4, 3), "float32"),
                "a.bias": random.standard_normal(4, "float32"),
            },
            path,
        )
    return paths


def test_the_wheel_holds_what_runs(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    for name in (
        "weightbridge/py.typed",
        "weightbridge/report/schema.json",
        "weightbridge/report/render/html/page.html.j2",
        "weightbridge/report/render/html/style.css",
        "weightbridge/report/render/html/script.js",
        "weightbridge/commands/data/digits.npz",
        "weightbridge/commands/data/README.md",
    ):
        assert name in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {f"weightbridge/{p.relative_to(ROOT)}" for p in (ROOT / "rules").rglob("*.toml")} <= names
    assert not [name for name in names if name.startswith(("tests/", "fixtures/", "benchmarks/"))]


def test_the_sdist_holds_what_builds_and_tests(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.split("/", 1)[-1] for name in sdist.getnames()}
    assert {
        "pyproject.toml",
        "hatch_build.py",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "tests/test_packaging.py",
    } <= names


def test_an_editable_install_is_compiled(built: Path, tmp_path: Path) -> None:
    """Even where the environment forbids Python to write its caches.

    A check would take a quarter longer at every start.
    """
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path / "source", filter="data")
    (root,) = (tmp_path / "source").iterdir()
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    install = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "-e", root)
    run("env", "PYTHONDONTWRITEBYTECODE=1", tmp_path / "venv" / "bin" / "pip", *install, cwd=tmp_path)
    modules = {path.stem for path in (root / "weightbridge").rglob("*.py")}
    assert {path.name.split(".")[0] for path in (root / "weightbridge").rglob("*.pyc")} == modules


def test_it_starts_without_a_framework(installed: Path, tmp_path: Path) -> None:
    assert "transfer" in run(installed / "weightbridge", "--help", cwd=tmp_path)
    listed = run(installed / "pip", "list", "--format", "json", cwd=tmp_path)
    assert {package["name"] for package in json.loads(listed)}.isdisjoint(
        {"tensorflow", "tensorflow-cpu", "keras", "torch", "onnxruntime"}
    )


def test_the_version_is_the_same_everywhere(installed: Path, tmp_path: Path) -> None:
    code = "import weightbridge.version as v, importlib.metadata as m; "
    code += "print(v.__version__ == m.version('weightbridge-toolkit'))"
    assert run(installed / "python", "-c", code, cwd=tmp_path).strip() == "True"


def test_every_rule_is_listed(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "weightbridge", "rules", "list", cwd=tmp_path)
    rules = sorted((ROOT / "rules").rglob("*.toml"))
    assert rules
    assert [path.stem for path in rules if path.stem not in listed] == []


def test_check_and_transfer_run(installed: Path, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    page = tmp_path / "report.html"
    both = ("--report", "json", "--report", f"html={page}")
    report = json.loads(run(installed / "weightbridge", "check", *pair, *both, cwd=tmp_path))
    assert report["verdict"] == "pass"
    assert "a.weight" in page.read_text(encoding="utf-8")
    output = tmp_path / "output.safetensors"
    run(installed / "weightbridge", "transfer", *pair, output, "--no-verify", cwd=tmp_path)
    assert output.read_bytes()[-64:] == pair[0].read_bytes()[-64:] != pair[1].read_bytes()[-64:]


def test_the_demo_says_what_it_needs(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed / "weightbridge", "demo"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode not in (0, 70)
    assert "tensorflow" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
