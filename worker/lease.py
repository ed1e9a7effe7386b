"""One attempt's right to run: extended by heartbeats, ended by a halt or by the clock.

The only object that the executing thread, the heartbeat and the runner's shutdown share. It passes on what it learns to
the keeper of the running command at once; between two commands it remembers.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from worker.clock import clock
from worker.keeper_link import KeeperLink


class Halt(StrEnum):
    """Why an attempt must stop before its own end."""

    CANCELLED = "cancelled"  # the build no longer wants the step; the server knows the outcome
    REVOKED = "revoked"  # the attempt is over or someone else's; nothing we say counts
    SHUTDOWN = "shutdown"  # this runner is asked to end
    EXPIRED = "expired"  # not extended in time; the server may start the next attempt, unless it is told first


class Lease:
    """Thread-safe. The first halt stands."""

    def __init__(self, fence_at: float) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._fence_at = fence_at
        self.settled = False
        self._halt: Halt | None = None
        self._grace_s = 0.0
        self._command: KeeperLink | None = None

    @property
    def halted(self) -> Halt | None:
        with self._changed:
            if self._halt is None and clock() >= self._fence_at and not self.settled:
                self._halt = Halt.EXPIRED
            return self._halt

    @property
    def fence_at(self) -> float:
        with self._changed:
            return self._fence_at

    def extend(self, fence_at: float) -> None:
        """`fence_at`: when, by `worker.clock`, the attempt's processes must begin to die. Past it, they have begun."""
        with self._changed:
            if self._command and self.halted:
                return
            self._fence_at = fence_at
            if self._command:
                self._command.fence(fence_at)

    def halt(self, why: Halt, grace_s: float) -> None:
        """Ends the running command, and keeps a next one from starting, with `grace_s` between SIGTERM and SIGKILL."""
        with self._changed:
            if self.halted is None:
                self._halt, self._grace_s = why, grace_s
                if self._command:
                    self._command.stop(grace_s)
                self._changed.notify_all()

    def settle(self) -> None:
        """The attempt's processes are gone and its outcome is known, so no fence ends it any more: what is kept alive
        now is the rest of its log, and its report."""
        self.settled = True

    def wait(self, seconds: float) -> bool:
        """Sleeps; true as soon as the attempt is halted."""
        with self._changed:
            until = clock() + seconds if self.settled else min(clock() + seconds, self._fence_at)
            while not self.halted and (left := until - clock()) > 0:
                self._changed.wait(left)
            return self.halted is not None

    @contextmanager
    def binds(self, command: KeeperLink) -> Iterator[None]:
        """While inside, the command follows the lease, a halt from before included."""
        with self._changed:
            self._command = command
            command.fence(self._fence_at)
            if self._halt:
                command.stop(self._grace_s)
        try:
            yield
        finally:
            with self._changed:
                self._command = None
