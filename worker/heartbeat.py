"""Keeps an attempt's lease alive while it runs, and passes on what the server thinks of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from worker.api import ApiClient, ApiError, Claim, Unreachable
from worker.clock import clock
from worker.lease import Halt, Lease
from worker.threads import start_thread

log = structlog.get_logger(__name__)

FENCE_MARGIN_S = 5.0
"""The processes are gone this long before the server may start the next attempt."""
PATIENCE_SHARE = 1 / 10
"""Of a lease: how long a heartbeat waits for its answer."""
AGAIN_S = 1.0
"""After a heartbeat that was not heard the next one follows this soon, if not sooner."""


def fence_at(lease_s: float, asked_at: float) -> float:
    """When, by the runner's clock, an attempt that is not extended again must begin to end.

    Counted from when the server was asked: the answer may have taken long, and the lease runs since before it.
    """
    return asked_at + max(lease_s - FENCE_MARGIN_S, lease_s / 2)


class Heart:
    """One attempt's heartbeats, and what they do to its lease."""

    def __init__(self, client: ApiClient, claim: Claim, runner: str, lease: Lease, grace_s: float) -> None:
        self._client, self._claim, self._runner = client, claim, runner
        self._lease, self._grace_s = lease, grace_s
        self._patience_s = claim.lease_s * PATIENCE_SHARE
        self._over = threading.Event()

    @contextmanager
    def beating(self, interval_s: float) -> Iterator[None]:
        """While inside, the lease is extended every `interval_s`. Leaving waits for no answer."""
        start_thread(f"heartbeat {self._claim.step_id}", self._beat_on, interval_s)
        try:
            yield
        finally:
            self._over.set()

    def _beat_on(self, interval_s: float) -> None:
        pause_s = interval_s
        while not self._over.wait(pause_s) and not self._lease.halted:
            pause_s = interval_s if self._beat() else min(interval_s, AGAIN_S)

    def _beat(self) -> bool:
        """One heartbeat; whether the server heard it."""
        asked_at, claim, ended = clock(), self._claim, self._lease.settled
        try:
            lease_s = self._client.heartbeat(claim.step_id, self._runner, claim.attempt, ended, self._patience_s)
        except Unreachable as error:
            log.warning("heartbeat not heard", error=str(error))
            return False
        except ApiError as error:
            self._revoke(error)
            return True
        if lease_s is None:
            self._lease.halt(Halt.CANCELLED, self._grace_s)
        else:
            self._lease.extend(fence_at(lease_s, asked_at))
        return True

    def _revoke(self, error: ApiError) -> None:
        if self._over.is_set():
            return
        if not self._lease.settled:  # else the server has the report, and there is nothing more to keep
            log.warning("attempt is not ours any more", error=str(error))
        self._lease.halt(Halt.REVOKED, 0)
