"""This repository as a small one of a test's own: the files that git tracks, as they are now, in two commits."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")


def make_own_repository(folder: Path) -> Path:
    """Uncommitted work counts, so that a change can be tried before it is committed."""
    _git(folder, "init", "--quiet", "--initial-branch=main", ".")
    tracked = _git(ROOT, "-c", "safe.directory=*", "ls-files", "-z").split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _commit(folder, "Begin", "README.md", "LICENSE")
    _commit(folder, "Go on", ".")
    return folder


def _commit(folder: Path, message: str, *paths: str) -> None:
    _git(folder, "add", "--force", "--", *paths)
    _git(folder, *IDENTITY, "commit", "--quiet", "--no-verify", f"--message={message}")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
