"""PyTorch files that lie, loop, explode or would run something.

Refused with a code, a place and a way out, and nothing is run.
"""

import os
import pickle
import random
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_files import (
    Call,
    Named,
    Persistent,
    Raw,
    dumps,
    held,
    legacy_file,
    opcodes,
    rebuilt,
    storage,
    tensor,
    zip_file,
)

from weightbridge import formats
from weightbridge.errors import Corrupt, ModelError, ResourceBomb, UnsafeContent, Unsupported

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "torch"
WEIGHTS = {"w": tensor("0", "float32", (2, 2))}
BYTES = {"0": np.arange(4, dtype="f4").tobytes()}
DEEP = 1_000_000


def refused(path: Path, error: type[ModelError], text: str) -> ModelError:
    with pytest.raises(error, match=text) as caught:
        formats.read(path)
    assert path.name in str(caught.value)
    assert caught.value.fix
    return caught.value


UNSAFE: dict[str, tuple[Any, str]] = {
    "os.system": (Call(Named("os.system"), ("touch sprung",)), r"calls os\.system"),
    "eval": (Call(Named("builtins.eval"), ("1/0",)), r"builtins\.eval"),
    "eval of Python 2": (Call(Named("__builtin__.eval"), ("1/0",)), r"__builtin__\.eval"),
    "a class and its initialiser": (Call(Named("subprocess.Popen"), (["ls"],)), r"subprocess\.Popen"),
    "a name alone": (Named("os.remove"), r"os\.remove"),
    "a name from the stack": (Raw(opcodes("os") + opcodes("system") + b"\x93"), r"os\.system"),
    "an instance of protocol 0": (Raw(b"(X\x02\x00\x00\x00lsios\nsystem\n"), r"os\.system"),
    "an object of protocol 1": (Raw(b"(cos\nsystem\nX\x02\x00\x00\x00lso"), r"os\.system"),
    "an extension": (Raw(b"\x82\x05"), "extension 5"),
    "keyword arguments": (Raw(b"cos\nsystem\n)}\x92"), r"os\.system"),
    "the result of a call": (Call(Call(Named("torch.Size"), ([1],)), ()), "result of another call"),  # type: ignore[arg-type]
    "inside arguments": (rebuilt(Call(Named("os.getcwd")), 0, (), ()), r"os\.getcwd"),
    "as a kind of storage": (
        Persistent(("storage", Named("os.FloatStorage"), "0", "cpu", 4)),
        r"os\.FloatStorage",
    ),
    "as a dtype": (
        Call(
            Named("torch._utils._rebuild_tensor_v3"),
            (storage("0", "UntypedStorage", 4), 0, (1,), (1,), False, None, Named("os.float32")),
        ),
        r"os\.float32",
    ),
    "as a factory": (Call(Named("collections.defaultdict"), (Named("os.system"),)), r"os\.system"),
    "a function of torch": (Call(Named("torch.hub.load"), ("x",)), r"torch\.hub\.load"),
}


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_what_would_run_is_refused_by_name(
    tmp_path: Path, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value, text = UNSAFE[name]
    path, content = tmp_path / "m.pt", WEIGHTS | {"x": value}
    made = (
        zip_file(path, content, BYTES)
        if kind == "zip"
        else legacy_file(path, content, {"0": (4, BYTES["0"])})
    )
    error = refused(made, UnsafeContent, text)
    assert (error.code, "byte" in error.where) == ("WB901", True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.pt"]


def test_all_names_are_given(tmp_path: Path) -> None:
    value = [Named(f"models.Block{i}") for i in range(9)]
    refused(
        zip_file(tmp_path / "m.pt", value, {}), UnsafeContent, r"models\.Block0, models\.Block1, .*and 5 more"
    )


def test_a_trap_that_python_would_spring(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for protocol in range(2, 6):
        refused(
            zip_file(tmp_path / "m.pt", pickle.dumps({"a": Trap()}, protocol), {}), UnsafeContent, "mkdir"
        )
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "sprung").exists()


def test_a_whole_module_names_its_class() -> None:
    error = refused(FIXTURES / "module.pt", UnsafeContent, r"torch\.nn\.modules\.conv\.Conv2d")
    assert "state_dict()" in error.fix


def test_a_whole_module_of_the_legacy_kind_names_its_class(tmp_path: Path) -> None:
    module = Persistent(("module", Named("__main__.Net"), "net.py", "import os"))
    path = legacy_file(tmp_path / "m.pt", Call(module, (), {"w": WEIGHTS}), {})  # type: ignore[arg-type]
    refused(path, UnsafeContent, r"__main__\.Net")


def test_known_names_are_not_looked_up(tmp_path: Path) -> None:
    before = set(sys.modules)
    formats.read(
        zip_file(
            tmp_path / "m.pt", WEIGHTS | {"x": Named("uuid.UUID"), "y": Named("fractions.Fraction")}, BYTES
        )
    )
    assert not {"torch", "uuid", "fractions"} & (set(sys.modules) - before)


ONE = storage("0", "FloatStorage", 4)
LIES: dict[str, tuple[Any, type[ModelError], str]] = {
    "a huge shape": (rebuilt(ONE, 0, (1 << 40, 1 << 10), (1 << 10, 1)), ResourceBomb, "w: "),
    "a product beyond 64 bits": (rebuilt(ONE, 0, (1 << 50, 1 << 50), (0, 0)), ResourceBomb, "w: declares"),
    "empty and huge": (rebuilt(ONE, 0, (0, 1 << 50, 1 << 50), (0, 0, 0)), ResourceBomb, "w: declares"),
    "larger than its storage": (rebuilt(ONE, 0, (5,), (1,)), ResourceBomb, "w: shape"),
    "an offset beyond the end": (rebuilt(ONE, 3, (2,), (1,)), Corrupt, "w: shape"),
    "a stride beyond the end": (rebuilt(ONE, 0, (2,), (4,)), Corrupt, "w: shape"),
    "expanded without end": (rebuilt(ONE, 0, (1 << 14, 1 << 14), (0, 0)), ResourceBomb, "expands"),
    "a negative offset": (rebuilt(ONE, -1, (2,), (1,)), Corrupt, "malformed"),
    "a negative stride": (rebuilt(ONE, 3, (2,), (-1,)), Corrupt, "malformed"),
    "a negative shape": (rebuilt(ONE, 0, (-2,), (1,)), Corrupt, "malformed"),
    "a truth as a size": (rebuilt(ONE, 0, (True,), (1,)), Corrupt, "malformed"),
    "a fraction": (rebuilt(ONE, 0, (1.5,), (1,)), Corrupt, "malformed"),
    "a shape of text": (rebuilt(ONE, 0, "12", (1,)), Corrupt, "malformed"),
    "more strides than axes": (rebuilt(ONE, 0, (2,), (1, 1)), Corrupt, "malformed"),
    "33 axes": (rebuilt(ONE, 0, (1,) * 33, (1,) * 33), Corrupt, "malformed"),
    "no storage": (rebuilt("0", 0, (2,), (1,)), Corrupt, "malformed"),
    "a storage that is not there": (
        rebuilt(storage("7", "FloatStorage", 4), 0, (2,), (1,)),
        Corrupt,
        "storage '7'",
    ),
    "a storage outside": (
        rebuilt(storage("../version", "FloatStorage", 4), 0, (2,), (1,)),
        Corrupt,
        "storage",
    ),
    "a storage that declares more": (
        rebuilt(storage("0", "FloatStorage", 5), 0, (2,), (1,)),
        Corrupt,
        "declares 20 bytes",
    ),
    "a wider dtype": (rebuilt(storage("0", "DoubleStorage", 4), 0, (2,), (1,)), Corrupt, "declares 32 bytes"),
    "a view that begins beyond": (
        rebuilt(storage("0", "FloatStorage", 4, ("v", 4, 4)), 0, (1,), (1,)),
        Corrupt,
        "w: shape",
    ),
    "a storage of nothing": (Persistent(("storage", 1)), Corrupt, "malformed"),
    "a persistent id of text": (Raw(opcodes("0") + b"Q"), Corrupt, "malformed"),
    "too few arguments": (Call(Named("torch._utils._rebuild_tensor_v2"), (ONE,)), Corrupt, "malformed"),
    "arguments of text": (Raw(opcodes(Named("torch.Size")) + opcodes("x") + b"R"), Corrupt, "malformed"),
}


@pytest.mark.parametrize("name", LIES)
def test_declared_sizes_are_checked(tmp_path: Path, name: str) -> None:
    value, error, text = LIES[name]
    refused(zip_file(tmp_path / "m.pt", {"w": value}, BYTES), error, text)


def test_what_is_just_within_is_read(tmp_path: Path) -> None:
    graph = formats.read(zip_file(tmp_path / "m.pt", {"w": rebuilt(ONE, 1, (2, 2), (2, 0))}, BYTES))
    assert graph.tensors[0].load().tolist() == [[1, 1], [3, 3]]


def nested(kind: str, depth: int = DEEP) -> bytes:
    opening, closing = {
        "lists": (b"]", b"a"),
        "tuples": (b"", b"\x85"),
        "dicts": (b"}X\x01\x00\x00\x00k", b"s"),
        "keys": (b"", b"\x85"),
        "calls": (b"ctorch\nSize\n", b"\x85R"),
        "states": (b"cargparse\nNamespace\n)\x81", b"b"),
        "marks": (b"(", b"t"),
    }[kind]
    inner = opening * depth + b"]" + closing * depth
    return b"\x80\x02" + (b"}" + inner + b"Ns" if kind == "keys" else inner) + b"."


def laughs(levels: int = 40) -> bytes:
    """Each list holds the one before twice."""
    return (
        b"\x80\x02]q\x00"
        + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(levels))
        + b"."
    )


BOMBS: dict[str, tuple[bytes, type[ModelError], str]] = {
    **{
        f"deep {k}": (nested(k), ResourceBomb, "nested deeper|far more")
        for k in ("lists", "tuples", "dicts", "calls", "states")
    },
    "deep marks": (nested("marks"), ResourceBomb, "far more"),
    "deep keys": (nested("keys"), ResourceBomb, "far more"),
    **{
        f"{k} less deep": (nested(k, 30_000), ResourceBomb, "nested deeper")
        for k in ("lists", "tuples", "dicts", "marks")
    },
    **{f"{k} less deep": (nested(k, 30_000), Unsupported, "no tensor") for k in ("keys", "states", "calls")},
    "doubling lists": (laughs(), ResourceBomb, "so often"),
    "a list in itself": (b"\x80\x02]q\x00h\x00a.", Unsupported, "no tensor"),
    "a dict in itself": (b"\x80\x02}q\x00X\x01\x00\x00\x00kh\x00s.", Unsupported, "no tensor"),
    "objects without number": (b"\x80\x02" + b"]" * (4 << 20) + b".", ResourceBomb, "far more objects"),
    "sets without number": (b"\x80\x04" + b"\x8f" * (4 << 20) + b".", ResourceBomb, "far more objects"),
    "nothing without number": (b"\x80\x02" + b"N" * (20 << 20) + b".", ResourceBomb, "far more objects"),
    "a huge memo": (b"\x80\x02Nr\xff\xff\xff\x7f.", Unsupported, "no tensor"),
    "a memo beyond": (b"\x80\x02Np99999999999999999999\n.", Corrupt, "malformed"),
    "a memo that is empty": (b"\x80\x02h\x05.", Corrupt, "malformed"),
    "text without end": (b"\x80\x02X\xff\xff\xff\xffab.", Corrupt, "malformed"),
    "long text": (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"ab.", Corrupt, "malformed"),
    "a long number": (b"\x80\x02\x8b\xff\xff\xff\x7f1.", Corrupt, "malformed"),
    "digits": (b"\x80\x02L" + b"9" * 100_000 + b"L\n.", Corrupt, "malformed"),
    "numbers that collide": (
        b"\x80\x02}(" + b"".join(opcodes(i * ((1 << 61) - 1)) + b"N" for i in range(1, 60_000)) + b"u.",
        Unsupported,
        "no tensor",
    ),
    "an empty stack": (b"\x80\x02.", Corrupt, "malformed"),
    "a mark that is none": (b"\x80\x02t.", Corrupt, "malformed"),
    "no end": (b"\x80\x02N", Corrupt, "malformed"),
    "nothing": (b"", Corrupt, "malformed"),
    "an item for a number": (b"\x80\x02K\x01K\x02a.", Corrupt, "malformed"),
    "a key without a value": (b"\x80\x02}(K\x01u.", Corrupt, "malformed"),
    "buffers": (b"\x80\x05\x97.", Corrupt, "malformed"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path: Path, name: str) -> None:
    data, error, text = BOMBS[name]
    start = time.process_time()
    refused(zip_file(tmp_path / "m.pt", data, {}, deflated=True), error, text)
    assert time.process_time() - start < 20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak of the memory")
def test_bombs_are_harmless_in_memory(tmp_path: Path) -> None:
    for i, name in enumerate(BOMBS):
        zip_file(tmp_path / f"{i}.pt", BOMBS[name][0], {}, deflated=True)
    program = (
        "import sys\nfrom pathlib import Path\nfrom weightbridge import formats\n"
        "from weightbridge.errors import ModelError\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: formats.read(path)\n    except ModelError: pass\n    else: raise SystemExit(path)\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 200 << 10


def doubled(path: Path) -> Path:
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(zip_file(path, WEIGHTS, BYTES), "a") as archive,
    ):
        archive.writestr("archive/data/0", bytes(16))
    return path


def overlapping(path: Path) -> Path:
    """The second entry of the directory points to the place of the first."""
    data = bytearray(zip_file(path, WEIGHTS, BYTES).read_bytes())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(data)
    return path


ARCHIVES: dict[str, tuple[Callable[[Path], Path], type[ModelError], str]] = {
    "a member twice": (doubled, Corrupt, "several members called archive/data/0"),
    "members over each other": (overlapping, Corrupt, "lie over each other"),
    "a byte order that is none": (
        lambda p: zip_file(p, WEIGHTS, BYTES, {"byteorder": b"middle"}),
        Corrupt,
        "byte order",
    ),
    "a storage that expands": (
        lambda p: zip_file(p, WEIGHTS, {"0": bytes(70 << 20)}, deflated=True),
        ResourceBomb,
        "expands",
    ),
    "a pickle that expands": (
        lambda p: zip_file(p, bytes(70 << 20), BYTES, deflated=True),
        ResourceBomb,
        "expands",
    ),
    "a storage cut short": (lambda p: zip_file(p, WEIGHTS, {"0": bytes(15)}), Corrupt, "declares 16 bytes"),
    "no storages": (lambda p: zip_file(p, WEIGHTS, {}), Corrupt, "lacks the storage"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_lie(tmp_path: Path, name: str) -> None:
    make, error, text = ARCHIVES[name]
    refused(make(tmp_path / "m.pt"), error, text)


LEGACY: dict[str, tuple[dict[str, tuple[int, bytes]], bytes, type[ModelError], str]] = {
    "another count": ({"0": (5, bytes(16))}, b"", Corrupt, "5 elements, the pickle says 4"),
    "cut short": ({"0": (4, bytes(15))}, b"", Corrupt, "ends at byte"),
    "no bytes": ({}, b"", Corrupt, "lacks the storage"),
    "one that no tensor has": ({"0": (4, bytes(16)), "1": (4, bytes(16))}, b"", Corrupt, "storage '1'"),
    "bytes behind": ({"0": (4, bytes(16))}, b"x", Corrupt, "behind the last storage"),
}


@pytest.mark.parametrize("name", LEGACY)
def test_legacy_files_that_lie(tmp_path: Path, name: str) -> None:
    storages, more, error, text = LEGACY[name]
    path = legacy_file(tmp_path / "m.pt", WEIGHTS, storages)
    path.write_bytes(path.read_bytes() + more)
    refused(path, error, text)


def test_a_legacy_storage_that_declares_everything(tmp_path: Path) -> None:
    value = {"w": rebuilt(storage("0", "FloatStorage", 1 << 59), 0, (2,), (1,))}
    refused(legacy_file(tmp_path / "m.pt", value, {"0": (1 << 59, bytes(16))}), Corrupt, "ends at byte")


def test_another_version_of_the_legacy_form(tmp_path: Path) -> None:
    path = legacy_file(tmp_path / "m.pt", WEIGHTS, {"0": (4, BYTES["0"])})
    path.write_bytes(path.read_bytes().replace(dumps(1001), dumps(1002), 1))
    refused(path, Unsupported, "version 1002")


def outcome(path: Path) -> str:
    """`read`, or the name of the error; anything that is none of ours goes up."""
    try:
        for one in formats.read(path).tensors:
            one.load()
    except ModelError as error:
        return type(error).__name__ if path.name in str(error) else f"nameless: {error}"
    return "read"


@pytest.mark.parametrize("name", ["plain.pt", "plain_legacy.pt", "checkpoint.pt", "protocol4.pt"])
def test_truncation(tmp_path: Path, name: str) -> None:
    data, path = (FIXTURES / name).read_bytes(), tmp_path / "d.pt"
    found = set()
    for end in range(1, len(data), 7):
        path.write_bytes(data[:end])
        found.add(outcome(path))
    assert not [f for f in found if f == "read" or "nameless" in f]
    assert "Corrupt" in found


@pytest.mark.parametrize("name", ["plain.pt", "plain_legacy.pt", "checkpoint.pt", "script.pt"])
def test_damage(tmp_path: Path, name: str) -> None:
    data, path, rng = (FIXTURES / name).read_bytes(), tmp_path / "d.pt", random.Random(0)
    found = set()
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path.write_bytes(broken)
        found.add(outcome(path))
    assert not [f for f in found if "nameless" in f]
    assert found >= {"read", "Corrupt"}


def test_damaged_opcodes(tmp_path: Path) -> None:
    """The same inside a sound archive, where every byte is the pickle's."""
    value, storages = held({"a.weight": np.ones((2, 3), "f4"), "a.bias": np.ones(2, "f4")})
    data, rng, found = dumps({"state_dict": value, "x": [1, (2.5, "y")]}), random.Random(1), set()
    for _ in range(800):
        broken = bytearray(data)
        broken[rng.randrange(len(broken))] = rng.randrange(256)
        found.add(outcome(zip_file(tmp_path / "d.pt", bytes(broken), storages)))
    assert found >= {"read", "Corrupt", "UnsafeContent"}
