"""Finds a step's processes by a mark in their environment, when everything above them was killed.

The tree is the better proof, and `worker.process_tree` has it; this is for when nobody is left who could inherit. A
process that was given another environment on purpose is not found. Linux only; elsewhere nothing is.
"""

import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from worker import process_tree
from worker.clock import clock

MARK = "BUILDSERVER_MARK"
_LOOK_AGAIN_S = 0.001
_EMPTY_ROUNDS = 20
"""A few prove nothing: what forks and exits while the list is read is on neither end of it."""


def end_marked(marks: Collection[str]) -> None:
    """Kills what carries one of the marks, and what is below it, until none is found; KILL_PATIENCE_S at most."""
    give_up_at, empty = clock() + process_tree.KILL_PATIENCE_S, 0
    while marks and empty < _EMPTY_ROUNDS and clock() < give_up_at:
        empty = 0 if _kill_marked(marks) else empty + 1
        time.sleep(_LOOK_AGAIN_S)


def _kill_marked(marks: Collection[str]) -> bool:
    """One round; each is killed as soon as it is found, so that it has little time to fork."""
    found = False
    for pid in _marked({f"{MARK}={mark}".encode() for mark in marks}):
        found = True
        process_tree.send([pid, *process_tree.descendants(pid)], signal.SIGKILL)
    return found


def _marked(entries: set[bytes]) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        if not entries.isdisjoint(_environ(process)):
            yield int(process.name)


def _environ(process: Path) -> set[bytes]:
    try:
        return set((process / "environ").read_bytes().split(b"\0"))
    except OSError:  # gone meanwhile, or another user's
        return set()
