"""Compiles the modules of an editable install, as pip does for any other.

Where Python may not write compiled files, every start would compile them again.
"""

import compileall
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledModules(BuildHookInterface[Any]):
    """Runs when the package is built; only an editable build has its modules in the source tree."""

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version == "editable":
            compileall.compile_dir(Path(self.root) / "weightbridge", quiet=1)
