"""A copy of the product and its tests to break: the checkout itself is never written to."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.guards.guard import CONTRACTS, Guard

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*_cache", ".git", ".venv", ".hypothesis", "__pycache__", "*.egg-info")
PASSED = 0
RED = re.compile(r"^FAILED (\S+)|^(.+) BROKEN$|^(.+) hangs; this process is ended$", re.MULTILINE)
"""Of pytest, of lint-imports, and of the tests' watchdog: what hangs without a guard has noticed its absence."""
PATIENCE_S = 600.0
LIMITS = ("-o", "timeout=60", "-o", "watchdog=10")
"""Seconds: much, for the few tests of one guard."""
BASE = "folders"
"""Of the tests' own folders, below the copy."""


class Unclear(Exception):
    """The tests neither passed nor failed: they could not be run."""


@dataclass(frozen=True)
class Copy:
    """The folder, whose code comes first on every path."""

    folder: Path

    @contextmanager
    def without(self, guard: Guard) -> Iterator[None]:
        """Within the block the copy lacks the guard."""
        path = self.folder / guard.file
        whole = path.read_text()
        path.write_text(guard.taken_out(whole))
        try:
            yield
        finally:
            path.write_text(whole)

    def red(self, tests: Sequence[str]) -> str | None:
        """The first test that fails; None where all pass. Raises Unclear with what was printed."""
        with tempfile.TemporaryFile("w+") as told:  # no pipe, which what a test leaves behind would keep open
            status = _run(_words(tests), self.folder, told)
            told.seek(0)
            printed = told.read()
        if status == PASSED:
            return None
        if found := RED.search(printed):
            return str(next(filter(None, found.groups()))).strip()
        raise Unclear(printed)


@contextmanager
def copied(root: Path = ROOT) -> Iterator[Copy]:
    """A copy that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        yield Copy(Path(shutil.copytree(root, Path(folder) / "copy", ignore=LEFT_OUT)))


def _run(words: Sequence[str], folder: Path, told: IO[str]) -> int:
    """The status of the tests, which are ended with all that they left behind: it was a guard that kept them tidy."""
    process = subprocess.Popen(words, cwd=folder, env=_environ(), stdout=told, stderr=told, start_new_session=True)
    try:
        return process.wait(PATIENCE_S)
    finally:
        _end(folder)


def _end(folder: Path) -> None:
    """Kill every process that works in the folder or below a test's own, which is in it too."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)


def _words(tests: Sequence[str]) -> list[str]:
    if CONTRACTS in tests:
        return [str(Path(sys.executable).with_name(CONTRACTS)), "--no-cache"]
    return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--basetemp", BASE, *LIMITS, *tests]


def _environ() -> dict[str, str]:
    """Files of bytecode are told apart by whole seconds and sizes, and a guard may be as long as its absence."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
