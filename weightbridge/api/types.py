"""The types of the public functions' arguments."""

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Literal

AnyPath = str | PathLike[str]
Paths = AnyPath | Iterable[AnyPath]
Globs = str | Iterable[str]
UserMap = Mapping[str, str] | Iterable[tuple[str, str]]
Arguments = Mapping[str, Any]
Data = Any  # the path of an .npz, an array, or a dict of arrays
OnFail = Literal["raise", "return"]
