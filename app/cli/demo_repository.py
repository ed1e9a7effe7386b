"""Makes the demo's git repository: the example project's files, committed bit by bit, as a project grows.

Author and dates are fixed, so the commits have the same hashes everywhere and need nothing of the user's own git setup.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.cli.errors import UsageFault

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROJECT = EXAMPLES / "python-project"
WORKFLOW = EXAMPLES / "python-project.yml"
BRANCH = "main"
AUTHOR = ("Demo", "demo@example.invalid")


@dataclass(frozen=True)
class Commit:
    """A commit of the history; `paths` are files or folders of the example project."""

    message: str
    date: str
    paths: tuple[str, ...]


HISTORY = (
    Commit(
        "Parse durations",
        "2026-01-05T09:00:00Z",
        ("pyproject.toml", "src/timespan/__init__.py", "src/timespan/units.py", "src/timespan/parsing.py"),
    ),
    Commit("Test the parser", "2026-01-05T11:30:00Z", ("tests/test_parsing.py",)),
    Commit("Spell durations", "2026-01-06T10:15:00Z", ("src/timespan/formatting.py", "tests/test_formatting.py")),
    Commit("Add a command", "2026-01-07T14:00:00Z", ("src/timespan/__main__.py", "tests/test_command.py")),
    Commit("Say in a README how it is used", "2026-01-08T08:45:00Z", ("README.md",)),
)


def make_repository(folder: Path) -> Path:
    """Make the repository in `folder`, or leave it as it is if it is there already; returns the folder."""
    if not PROJECT.is_dir():
        raise UsageFault(f"the example project is not at {PROJECT}: run the demo from a checkout of Build Server")
    if (folder / ".git").is_dir():
        return folder
    folder.mkdir(parents=True)
    _git(folder, "init", "--quiet", f"--initial-branch={BRANCH}")
    for commit in HISTORY:
        _commit(folder, commit)
    return folder


def _commit(folder: Path, commit: Commit) -> None:
    for path in commit.paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / path, target)
    _git(folder, "add", "--", *commit.paths)
    _git(folder, "commit", "--quiet", "--no-verify", f"--message={commit.message}", date=commit.date)


def _git(folder: Path, *arguments: str, date: str = "") -> None:
    name, address = AUTHOR
    own = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": address,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": address,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_DATE": date,
    }
    inherited = {variable: value for variable, value in os.environ.items() if not variable.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        subprocess.run(command, env={**inherited, **own}, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UsageFault("git is not installed, or not on PATH") from error
    except subprocess.CalledProcessError as error:
        raise UsageFault(f"git {arguments[0]} failed in {folder}: {error.stderr.strip()}") from error
