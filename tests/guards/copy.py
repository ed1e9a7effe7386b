"""A copy of the product and its tests to break: the checkout itself is never written to."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.guards.guard import CONTRACTS, Guard

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*_cache", ".git", ".venv", ".hypothesis", "__pycache__", "*.egg-info")
FAILED, PASSED = 1, 0
RED = re.compile(r"^FAILED (\S+)|^(.+) BROKEN$", re.MULTILINE)
PATIENCE_S = 600.0


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
        done = subprocess.run(
            _words(tests),
            cwd=self.folder,
            env=_environ(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode == PASSED:
            return None
        found = RED.search(done.stdout)
        if done.returncode != FAILED or found is None:
            raise Unclear(done.stdout + done.stderr)
        return (found[1] or found[2]).strip()


@contextmanager
def copied(root: Path = ROOT) -> Iterator[Copy]:
    """A copy that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        yield Copy(Path(shutil.copytree(root, Path(folder) / "copy", ignore=LEFT_OUT)))


def _words(tests: Sequence[str]) -> list[str]:
    if CONTRACTS in tests:
        return [str(Path(sys.executable).with_name(CONTRACTS)), "--no-cache"]
    return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]


def _environ() -> dict[str, str]:
    """Files of bytecode are told apart by whole seconds and sizes, and a guard may be as long as its absence."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
