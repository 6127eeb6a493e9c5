"""HDF5 headers: all datasets and groups of a file by name; links out and bombs are refused."""

from collections.abc import Iterable
from typing import NamedTuple

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.containers import BOMB_FLOOR, BOMB_RATIO, Region
from weightbridge.formats.hdf5.heaps import check_heaps
from weightbridge.formats.hdf5.opening import opened
from weightbridge.formats.hdf5.tree import Group
from weightbridge.formats.hdf5.walk import Walk


class Run(NamedTuple):
    """The bytes of a dataset in the file."""

    start: int
    end: int
    path: str


def read_tree(region: Region) -> Group:
    """All groups and datasets of the file, with what the headers say.

    Refuses links out of the file, bombs and overlaps.
    """
    with opened(region) as file:
        walk = Walk(region)
        root = walk.root(file.id)
        _refuse_bombs(root, region)
        arrays = [(d.offset, d.offset + d.stored) for d in root.datasets() if d.offset is not None]
        check_heaps(region, arrays)
        walk.read_attributes()
    return root


def _refuse_bombs(root: Group, region: Region) -> None:
    """Compares declared with stored sizes, one by one and in sum; refuses runs that end late or overlap."""
    declared = 0
    runs = []
    for dataset in root.datasets():
        declared += dataset.nbytes
        _refuse_bomb(dataset.nbytes, dataset.stored, f"{region.label}: {dataset.path}")
        if dataset.offset is not None and dataset.stored:
            runs.append(Run(dataset.offset, dataset.offset + dataset.stored, dataset.path))
    _refuse_bomb(declared, region.size, region.label)
    _check_runs(runs, region)


def _refuse_bomb(declared: int, stored: int, where: str) -> None:
    if declared > BOMB_FLOOR and declared > BOMB_RATIO * max(stored, 1):
        raise ResourceBomb(
            f"{declared} bytes are declared, {stored} stored",
            where=where,
            fix="Do not open it unless you trust where it comes from",
        )


def _check_runs(runs: Iterable[Run], region: Region) -> None:
    """Every run ends inside the file, and no two overlap; names of one dataset share all their bytes."""
    before = Run(0, 0, "")
    for run in sorted(set(runs)):
        where = f"{region.label}: {run.path}"
        if run.end > region.size:
            raise Corrupt(
                f"the bytes of a dataset end at {run.end}, the file at {region.size}",
                where=where,
                fix="Get the file again",
            )
        is_same = (run.start, run.end) == (before.start, before.end)
        if run.start < before.end and not is_same:
            raise Corrupt(
                f"the bytes overlap those of {before.path}", where=where, fix="Save the model again"
            )
        before = run
