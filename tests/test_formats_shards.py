"""Checkpoints in several files: an index and its shards, read as one model, merged when written.

What does not fit together is said.
"""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from torch_files import held, legacy_file, zip_file

from weightbridge import formats
from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ModelError, Unsupported
from weightbridge.formats.hashing import content_hash
from weightbridge.formats.safetensors.header import DTYPES

INDEX, TORCH_INDEX = "model.safetensors.index.json", "pytorch_model.bin.index.json"
PARTS: list[dict[str, np.ndarray]] = [
    {"a.weight": np.arange(6, dtype="f4").reshape(2, 3), "a.bias": np.ones(2, "f4")},
    {"b.weight": np.arange(4, dtype="f4").reshape(2, 2), "ids": np.arange(3)},
]
ALL = {name: array for part in PARTS for name, array in part.items()}


def shard(number: int, suffix: str = "safetensors") -> str:
    return f"model-{number + 1:05}-of-00002.{suffix}"


def index(folder: Path, weight_map: Mapping[str, Any], total: Any = None, name: str = INDEX) -> Path:
    (folder / name).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}))
    return folder / name


def checkpoint(folder: Path, **other: Any) -> Path:
    """Two shards and their index. other: entries of the index."""
    for i, part in enumerate(PARTS):
        save_file(part, folder / shard(i), {"format": "pt"})
    return index(
        folder,
        {n: shard(i) for i, part in enumerate(PARTS) for n in part} | other,
        sum(a.nbytes for a in ALL.values()),
    )


@pytest.mark.parametrize("given", ["index", "folder"])
def test_shards_are_one_model(tmp_path: Path, given: str) -> None:
    path = checkpoint(tmp_path)
    graph = formats.read(path if given == "index" else tmp_path)
    assert (graph.format, graph.producer, graph.findings) == ("safetensors", "PyTorch", ())
    assert {t.name: t.load().tolist() for t in graph.tensors} == {
        n: a.tolist() for n, a in ALL.items() if n != "ids"
    }
    assert [(x.name, x.op) for x in graph.layers] == [("a", "Dense"), ("b", "Dense")]
    assert [e.name for e in graph.excluded] == ["ids"]
    assert [Path(f).name for f in graph.files] == [shard(0), shard(1)]


def test_the_hash_of_the_content_covers_the_shards(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    before = content_hash(formats.read(path))
    save_file(PARTS[1] | {"ids": np.arange(3) + 1}, tmp_path / shard(1), {"format": "pt"})
    assert content_hash(formats.read(path)) != before


def test_a_sharded_template_is_written_as_one_file(tmp_path: Path) -> None:
    template = formats.read(checkpoint(tmp_path))
    chosen = [t for t in template.tensors if t.name != "a.bias"]
    formats.write(template, tmp_path / "out.safetensors", ((t, t.load() * 2) for t in reversed(chosen)))
    found = load_file(tmp_path / "out.safetensors")
    assert {n: a.tolist() for n, a in found.items()} == {
        n: (a if n in ("a.bias", "ids") else a * 2).tolist() for n, a in ALL.items()
    }


@pytest.mark.parametrize("name", ["zip", "legacy"])
@pytest.mark.parametrize("given", ["index", "folder"])
def test_shards_of_torch(tmp_path: Path, name: str, given: str) -> None:
    weight_map = {}
    for i, part in enumerate(PARTS):
        write_shard(tmp_path / shard(i, "bin"), part, name)
        weight_map |= dict.fromkeys(part, shard(i, "bin"))
    path = index(tmp_path, weight_map, name=TORCH_INDEX)
    graph = formats.read(path if given == "index" else tmp_path)
    assert (graph.format, graph.findings, len(graph.files)) == ("torch-zip", (), 2)
    assert {t.name: t.load().tolist() for t in graph.tensors} == {
        n: a.tolist() for n, a in ALL.items() if n != "ids"
    }
    assert [e.name for e in graph.excluded] == ["ids"]


def write_shard(path: Path, part: dict[str, Any], name: str) -> None:
    value, data = held(part)
    if name == "zip":
        zip_file(path, value, data)
        return
    counts = [array.size for array in part.values()]
    storages = zip(counts, data.values(), strict=True)
    legacy_file(path, value, dict(zip(data, storages, strict=True)))


def test_a_shard_of_torch_that_is_another_format(tmp_path: Path) -> None:
    save_file(PARTS[0], tmp_path / "model.bin")
    with pytest.raises(Unsupported, match="safetensors file"):
        formats.read(index(tmp_path, {"a.weight": "model.bin"}, name=TORCH_INDEX))


OUTSIDE = [
    "../model-00001-of-00002.safetensors",
    "/etc/passwd.safetensors",
    "sub/m.safetensors",
    "..",
    "",
    "a\\m.safetensors",
    "a\0.safetensors",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_shards_outside_the_folder(tmp_path: Path, name: str) -> None:
    path = checkpoint(tmp_path, c=name)
    with pytest.raises(ExternalReference, match="outside the folder") as caught:
        formats.read(path)
    assert (caught.value.code, bool(caught.value.fix)) == ("WB902", True)


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = checkpoint(tmp_path / "model")
    (tmp_path / "model" / shard(1)).rename(tmp_path / "elsewhere.safetensors")
    (tmp_path / "model" / shard(1)).symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(ExternalReference, match=shard(1)):
        formats.read(path)


def test_a_download_cache_keeps_all_files_under_links(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    checkpoint(tmp_path / "blobs")
    for name in (INDEX, shard(0), shard(1)):
        (tmp_path / "snapshot" / name).symlink_to(f"../blobs/{name}")
    assert len(formats.read(tmp_path / "snapshot").tensors) == 3


def test_missing_shards_are_named_together(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, c="third.safetensors")
    (tmp_path / shard(1)).unlink()
    with pytest.raises(MissingFile, match=rf"2 of 3 shards are not there: {shard(1)}, third") as caught:
        formats.read(path)
    assert (caught.value.code, path.name in caught.value.where) == ("WB905", True)


def test_a_tensor_that_its_shard_lacks(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, **{"a.weight": shard(1), "c": shard(0)})
    with pytest.raises(Corrupt, match=r"a\.weight is missing from model-00002.* 1 more") as caught:
        formats.read(path)
    assert caught.value.code == "WB904"


def test_a_surplus_tensor_is_said(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    path = index(tmp_path, {n: shard(i) for i, part in enumerate(PARTS) for n in part if n != "a.bias"})
    graph = formats.read(path)
    assert [(f.code, f.source) for f in graph.findings] == [("WB108", "a.bias")]
    assert "a.bias" not in {t.name for t in graph.tensors}


def test_another_total_is_said(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    path = index(tmp_path, {n: shard(i) for i, part in enumerate(PARTS) for n in part}, 12)
    assert [(f.code, f.severity) for f in formats.read(path).findings] == [("WB108", "note")]
    assert "12 bytes" in formats.read(path).findings[0].message


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    os.truncate(tmp_path / shard(1), 20)
    with pytest.raises(ModelError, match=shard(1)):
        formats.read(path)


@pytest.mark.parametrize(
    "names",
    [(INDEX, "other.safetensors.index.json"), (TORCH_INDEX, "other.bin.index.json")],
    ids=["safetensors", "torch"],
)
def test_a_folder_with_two_indexes_does_not_choose(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        index(tmp_path, {"a": "m"}, name=name)
    with pytest.raises(MissingFile, match="such as"):
        formats.read(tmp_path)


NARROW = {
    "float8 and the inverse of its scale": ("F8_E4M3", "a.weight_scale_inv", "warning"),
    "float8 and its scale": ("F8_E5M2", "a.weight_scale", "warning"),
    "int8 and SCB of another shape": ("I8", "a.SCB", "error"),
    "bytes and their largest": ("U8", "a.weight.absmax", "error"),
    "int8 alone": ("I8", "", "error"),
}


@pytest.mark.parametrize("name", NARROW)
def test_quantised_values_are_no_plain_weights(tmp_path: Path, name: str) -> None:
    code, scale, severity = NARROW[name]
    path = quantised(tmp_path / "m.safetensors", {"a.weight": code} | ({scale: "F32"} if scale else {}))
    graph = formats.read(path)
    assert [(f.code, f.severity, f.source) for f in graph.findings] == [("WB109", severity, "a.weight")]
    words = {"a.weight.absmax": "bitsandbytes", "": "no scale"}
    assert words.get(scale, scale) in graph.findings[0].message
    assert graph.by_name["a"].attributes["quantised"] == {"kernel": scale}


@pytest.mark.parametrize("code", ["F32", "F16", "BF16"])
def test_plain_weights_beside_a_scale_are_plain(tmp_path: Path, code: str) -> None:
    graph = formats.read(quantised(tmp_path / "m.safetensors", {"a.weight": code, "a.weight_scale": "F32"}))
    assert not graph.findings
    assert "quantised" not in graph.by_name["a"].attributes


def quantised(path: Path, dtypes: Mapping[str, str]) -> Path:
    """Tensors of shape (2, 2) of these dtypes."""
    header: dict[str, Any] = {}
    end = 0
    for name, code in dtypes.items():
        size = DTYPES[code][1] // 2
        header[name] = {"dtype": code, "shape": [2, 2], "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


def sparse(folder: Path, shards: int, width: int) -> Path:
    """Shards of ten matrices each that take no room on the disk."""
    folder.mkdir()
    weight_map: dict[str, str] = {}
    for i in range(shards):
        names = [f"layers.{i}.{j}.weight" for j in range(10)]
        size = width * width * 4
        header = {
            n: {"dtype": "F32", "shape": [width, width], "data_offsets": [j * size, (j + 1) * size]}
            for j, n in enumerate(names)
        }
        text = json.dumps(header).encode()
        path = folder / f"m-{i}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text)
        os.truncate(path, 8 + len(text) + 10 * size)
        weight_map |= dict.fromkeys(names, path.name)
    return index(folder, weight_map)


PROGRAM = (
    "import sys, time\nfrom pathlib import Path\nfrom weightbridge import formats\n"
    "import weightbridge.formats.safetensors.file\n"
    "start = time.process_time()\n"
    "graph = formats.read(Path(sys.argv[1]))\ntaken = time.process_time() - start\n"
    "print(graph.parameters, taken, Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak of the memory")
def test_twenty_gigabytes_cost_what_a_small_one_costs(tmp_path: Path) -> None:
    small, large = sparse(tmp_path / "small", 20, 8), sparse(tmp_path / "large", 20, 5200)
    found = []
    for path in (small, large):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
        )
        found.append([float(number) for number in done.stdout.split()])
    assert found[1][0] * 4 > 20 * 10**9
    assert found[1][1] < 3 * found[0][1] + 0.1
    assert found[1][2] < 300 << 10
