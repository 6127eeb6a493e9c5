"""The index of a checkpoint in several files: JSON that says which file holds which tensor."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ResourceBomb
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.safetensors.header import DAMAGED

LIMIT = 256 << 20  # bytes of JSON


@dataclass(frozen=True, slots=True)
class Index:
    """The map of a checkpoint in several files.

    weights: name of a tensor -> name of its file. total: the declared bytes of all tensors.
    """

    path: Path
    weights: Mapping[str, str]
    total: int | None

    @property
    def shards(self) -> tuple[Path, ...]:
        names = set(self.weights.values())
        return tuple(self.path.with_name(name) for name in sorted(names))


def is_index(path: Path) -> bool:
    """Whether this is a folder or JSON, and no file of tensors."""
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def index_in(path: Path, suffixes: Sequence[str]) -> Path:
    """The path itself, or the index of a folder: the one whose name ends with one of the suffixes."""
    if path.is_file():
        return path
    return next(file for file in sorted(path.iterdir()) if file.name.endswith(tuple(suffixes)))


def read_index(path: Path) -> Index:
    """The index, its shards checked to lie beside it.

    Raises ExternalReference, MissingFile or Corrupt; all missing shards are named.
    """
    value = _parsed(path)
    weights = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(weights, dict) or not weights:
        raise Corrupt(
            "the index has no weight_map", where=str(path), fix="Get the index that belongs to the shards"
        )
    _check_shards(path, [_shown(name) for name in weights.values()])
    return Index(path, weights, _total(value.get("metadata")))


def _shown(name: object) -> str:
    return name if isinstance(name, str) else repr(name)[:80]


def _total(metadata: object) -> int | None:
    """The declared bytes of all tensors; None where there is no such number."""
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    if isinstance(total, int | float) and 0 <= total < 1 << 63:
        return int(total)
    return None


def _check_shards(path: Path, listed_names: Sequence[str]) -> None:
    """All shards are there, beside the index."""
    names = dict.fromkeys(listed_names)
    outside = next((name for name in names if not _is_beside(path, name)), None)
    if outside is not None:
        raise ExternalReference(
            f"a shard outside the folder: {outside[:200]!r}",
            where=str(path),
            fix="All shards lie beside the index, under plain names",
        )
    missing = [name for name in names if not path.with_name(name).is_file()]
    if missing:
        raise MissingFile(
            f"{len(missing)} of {len(names)} shards are not there: {listed(missing, 5)}",
            where=str(path),
            fix="Copy or download all files that the index names",
        )


def check_names(index: Index, held: Mapping[Path, Iterable[str]]) -> tuple[Finding, ...]:
    """Every tensor of the index is in its shard (else Corrupt); what shards hold beyond it is said."""
    inside = {shard.name: set(names) for shard, names in held.items()}
    lacking = [name for name, shard in index.weights.items() if name not in inside[shard]]
    if lacking:
        raise _lacking(index, lacking)
    findings = []
    for shard in sorted(inside):
        unlisted = [name for name in inside[shard] if index.weights.get(name) != shard]
        findings += [_unlisted(name, shard) for name in sorted(unlisted)]
    return tuple(findings)


def _lacking(index: Index, names: Sequence[str]) -> Corrupt:
    first = names[0]
    more = f", as are {len(names) - 1} more" if len(names) > 1 else ""
    return Corrupt(
        f"{first} is missing from {index.weights[first]}, where the index has it{more}",
        where=f"{index.path}: {first}",
        fix="The shards are of another checkpoint, or damaged: download them again",
    )


def _unlisted(name: str, shard: str) -> Finding:
    return finding(
        "WB108",
        f"{name}: in the shard {shard}, but not in the index for it; left out",
        source=name,
        fix="Get the index that belongs to the shards",
    )


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > LIMIT:
            raise ResourceBomb(
                "more JSON than any index", where=str(path), fix="Give the index of a checkpoint"
            )
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(path), fix="Check its permissions"
        ) from error
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"the index is no valid JSON: {error}", where=str(path), fix=DAMAGED) from error


def _is_beside(path: Path, name: str) -> bool:
    """Whether this is a plain name of a file in the index's folder.

    A link must lead to that folder, which may be reached by a link too, as in download caches.
    """
    is_plain = name not in ("", ".", "..") and Path(name).name == name
    if not is_plain or "\0" in name or "\\" in name:
        return False
    shard = path.with_name(name)
    try:
        return not shard.is_symlink() or shard.resolve().parent == path.resolve().parent
    except (OSError, RuntimeError):
        return False
