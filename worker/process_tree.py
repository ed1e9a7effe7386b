"""Finds and signals every process below this one, whatever its session, group or environment.

A process that became a subreaper inherits the orphans among its descendants, so nothing below it can leave: a daemon
that forked twice is its child again. That makes "no child left" (ECHILD from waitpid) the proof that a tree is gone.
Linux only; elsewhere `TRACEABLE` is false and the caller has the process group.

Standard library only: runs without site-packages.
"""

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from worker.clock import clock

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

KILL_PATIENCE_S = 10.0  # SIGKILL works at once, but for a process stuck in the kernel or of another user
_LOOK_AGAIN_S = 0.001

TRACEABLE = os.path.exists(f"/proc/self/task/{os.getpid()}/children")

_libc = ctypes.CDLL(None)


def become_subreaper() -> None:
    if TRACEABLE:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Has the kernel kill this process when its parent dies, even if it just did; survives exec, not fork."""
    if TRACEABLE:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def children(pid: int) -> list[int]:
    """The direct children of all threads of `pid`, zombies included; empty when it is gone.

    For the caller's own pid nobody else can reap them, so each number stays theirs until the caller waits.
    """
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as listed:
                found += map(int, listed.read().split())
    except OSError:  # gone meanwhile, or hidden from this user
        pass
    return found


def descendants(pid: int) -> list[int]:
    """Everything below `pid`, parents first: a snapshot, so call it again to see what was forked meanwhile."""
    found = children(pid)
    for below in found:  # grows while it is walked
        found += children(below)
    return found


def strangers() -> list[int]:
    """Children of this process that belong to a step: it began a session, and no process ever returns to another's."""
    return [child for child in children(os.getpid()) if _session(child) != os.getsid(0)]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def reap() -> bool:
    """Takes note of the children that have ended, and kills those that were stopped; whether any child is left."""
    try:
        while (changed := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
            if os.WIFSTOPPED(changed[1]):
                send([changed[0]], signal.SIGKILL)
    except ChildProcessError:
        return False
    return True


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signals each process; those that are gone, or belong to another user, are left alone."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_children() -> None:
    """Kills and reaps until this process has no child left, or for KILL_PATIENCE_S.

    Only direct children: killing a parent makes its children ours for the next round, and the shorter the way from the
    list to the signal, the sooner it meets a process that runs away by forking and exiting.
    """
    give_up_at = clock() + KILL_PATIENCE_S
    while clock() < give_up_at:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        send(children(os.getpid()), signal.SIGKILL)
        time.sleep(_LOOK_AGAIN_S)
