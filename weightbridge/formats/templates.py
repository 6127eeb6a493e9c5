"""The file that OUTPUT is a copy of: the target itself, the weights inside it, or what a target in code is saved as."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from weightbridge.errors import UsageError
from weightbridge.formats.sniffing import sniff

WEIGHTS = "model.weights.h5"
# suffix of OUTPUT -> formats of a target that can be written under it as they are
WRITABLE: dict[str, tuple[str, ...]] = {
    ".weights.h5": ("keras-weights-h5", "keras-h5-weights"),
    ".keras": ("keras-zip",),
    ".h5": ("keras-h5", "keras-h5-weights"),
    ".hdf5": ("keras-h5", "keras-h5-weights"),
    ".onnx": ("onnx",),
    ".safetensors": ("safetensors",),
}


@contextmanager
def template_of(target: Any, output: Path, arguments: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """The path of a file of OUTPUT's format with the target's structure; temporary files go when the context ends.

    Raises UsageError where the target cannot be written under this suffix.
    """
    suffix = next(s for s in WRITABLE if output.name.endswith(s))
    is_code = not isinstance(target, str | Path) or (isinstance(target, str) and target.startswith("py:"))
    format = "python" if is_code else sniff(Path(target))
    if format in WRITABLE[suffix]:
        yield Path(target)
        return
    with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
        made = Path(folder) / f"target{suffix}"
        if is_code:
            _save(target, made, arguments)
        elif suffix == ".weights.h5" and format == "keras-zip":
            _extract(Path(target), made)
        elif suffix == ".safetensors":
            _as_safetensors(Path(target), made)
        else:
            fix = f"choose an OUTPUT that ends with {' or '.join(s for s, known in WRITABLE.items() if format in known) or '.safetensors'}"
            raise UsageError(f"a {format} target cannot be written as {suffix}", where=str(output), fix=fix)
        yield made


def _save(target: Any, made: Path, arguments: Mapping[str, Any] | None) -> None:
    live = import_module("weightbridge.formats.keras_live")
    model = live.load_callable(target, dict(arguments or {})) if isinstance(target, str) else target
    if made.suffix == ".safetensors":
        graph = live.read(model)
        import_module("weightbridge.formats.safetensors").write_new(made, graph.tensors)
        return
    live.save(model, made)


def _extract(archive: Path, made: Path) -> None:
    """The reader has refused bombs already: sniffing opened it, reading checks it before anything is written to OUTPUT."""
    with zipfile.ZipFile(archive) as opened, opened.open(WEIGHTS) as member, made.open("wb") as file:
        shutil.copyfileobj(member, file, 1 << 20)


def _as_safetensors(target: Path, made: Path) -> None:
    formats = import_module("weightbridge.formats")
    graph = formats.read(target)
    import_module("weightbridge.formats.safetensors").write_new(made, graph.tensors)
