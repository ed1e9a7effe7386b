"""Removes the folders of attempts that are over, beside the runner's work: a large one takes longer than many a step.

What a runner does not get done lies where the next one on the same work folder finds it.
"""

import subprocess
import threading
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

MOST_WAITING = 16
"""Folders; with more of them the disk would fill faster than it is emptied, so whoever brings the next one waits."""
STOP_PATIENCE_S = 1.0
"""For a runner that is asked to end: most folders are gone by then, and the others can wait for the next runner."""


class Remover:
    """One thread, which ends with the process. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Path] = deque()
        self._most_waiting = MOST_WAITING
        self._stopping = False

    def start(self, left: Collection[Path]) -> None:
        """Begin with what earlier runners left; it holds nobody up."""
        self._waiting.extend(left)
        self._most_waiting += len(left)
        threading.Thread(target=self._remove_all, name="removal", daemon=True).start()

    def take(self, folder: Path) -> None:
        """Have the folder removed; blocks while too many wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or len(self._waiting) < self._most_waiting)
            self._waiting.append(folder)
            self._changed.notify_all()

    def stop(self) -> None:
        """From now on nobody waits long."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def finish(self) -> None:
        """Blocks until everything is removed, or for STOP_PATIENCE_S from when the runner is asked to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or not self._waiting)
            self._changed.wait_for(lambda: not self._waiting, STOP_PATIENCE_S)

    def _remove_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                folder = self._waiting[0]
            remove(folder)
            with self._changed:
                self._waiting.popleft()
                self._changed.notify_all()


def remove(root: Path) -> None:
    """All of it, however deep, also what a step has made read-only, as some package managers do with what they unpack.

    By programs made for it: what is deeper than Python's stack, or longer than a path may be, is nothing to them.
    """
    _run("chmod", "-R", "u+rwX", "--", str(root))
    _run("rm", "-rf", "--", str(root))
    if root.exists():
        log.warning("folder cannot be removed; another user's files are in it", folder=str(root))


def _run(*words: str) -> None:
    """What it complains about shows in what is left; another runner on this work folder may be at it too."""
    with suppress(OSError):
        subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
