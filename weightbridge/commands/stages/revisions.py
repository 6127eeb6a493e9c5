"""A file as it is on disk, or as it was in a revision of git."""

import subprocess
from pathlib import Path

from weightbridge.errors import UsageError

SECONDS = 60


def text_of(given: str) -> str:
    """The text of `PATH`, or of `REVISION:PATH` from the repository's root.

    A file that the revision does not have is empty. Raises UsageError for a revision that there is none of.
    """
    path = Path(given)
    if path.is_file():
        return path.read_text(encoding="utf-8")
    revision, colon, name = given.partition(":")
    if not (revision and colon and name):
        fix = "Give a file, or REVISION:FILE such as origin/main:weightbridge-baseline.json"
        raise UsageError("there is no such file", where=given, fix=fix)
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    if not commit:
        fix = "Fetch it first: a checkout in CI often has one commit alone (fetch-depth: 0)"
        raise UsageError(f"git knows no revision {revision!r}", where=given, fix=fix)
    listed = _git("ls-tree", "--full-tree", "--name-only", commit, "--", name)
    return _git("cat-file", "blob", f"{commit}:{name}") if listed.strip() else ""


def _git(*arguments: str) -> str:
    """What git says; nothing where it refuses."""
    try:
        done = subprocess.run(
            ("git", *arguments), capture_output=True, check=False, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot be run: {error}", fix="Install git, or give a file") from error
    if b"not a git repository" in done.stderr:
        raise UsageError("this is no git repository", fix="Give a file instead of REVISION:FILE")
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
