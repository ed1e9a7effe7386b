"""Asks the server for an attempt until it answers, as a claim without an answer may have been heard.

While one is not answered, a report lies on disk that gives back what it may have got: whatever becomes of the runner,
nobody need wait for the end of a lease that nobody works under.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import structlog

from worker.api import ApiClient, Claim, Unreachable
from worker.attempt import HANDED_BACK
from worker.clock import clock
from worker.failures import Failures
from worker.report import Reporter
from worker.spool import Kept

log = structlog.get_logger(__name__)

CLAIM_PATIENCE_S = 2.5
"""An API that restarts is back within this; after it somebody else may have the message."""
CLAIM_PAUSE_S = 0.5


class Unanswered(Unreachable):
    """A claim was given up that the server may have heard; what it may have got was given back, or will be."""


class Claiming:
    """What a runner claims with. Thread-safe. `stopping` ends what it asks for."""

    def __init__(self, client: ApiClient, runner: str, reporter: Reporter, stopping: threading.Event) -> None:
        self._client, self._runner, self._reporter, self._stopping = client, runner, reporter, stopping
        self._open: set[_Asking] = set()
        self._changed = threading.Lock()

    def claim(self, step_id: str, attempt: int | None, unheard: Callable[[], None] | None) -> tuple[Claim, float]:
        """The claim, and when it was asked for: under one key for as long as it takes.

        The lease of a claim that is repeated begins anew, so the time is that of the try that was answered. Where no
        answer comes for a while, `unheard` is called, once, and what is asked for is asked for again until the runner
        is asked to end; without `unheard` it is given up after the same while. Raises Refused and NotFound; Failing
        where the server fails at this step, and Unanswered where it may have heard a claim that was given up.
        """
        silent_at, failures, is_endless = clock() + CLAIM_PATIENCE_S, Failures(CLAIM_PATIENCE_S), unheard is not None
        with self._asking(step_id, attempt) as asking:
            while True:
                asked_at = clock()
                try:
                    return self._client.claim(step_id, self._runner, attempt, asking.key), asked_at
                except Unreachable as error:
                    failures.note(error)
                    if not failures.go_on:
                        asking.keep()
                    stops = self._stopping.wait(CLAIM_PAUSE_S)
                    is_late = clock() >= silent_at and not failures.go_on
                    if unheard and (stops or is_late):
                        log.warning("server unreachable", error=str(error))
                        unheard()
                        unheard = None
                    if stops or failures.last_too_long or (is_late and not is_endless):
                        asking.give_up(error)

    def keep_open(self) -> None:
        """Whoever ends this process may not wait for the answers that it waits for."""
        with self._changed:
            under_way = tuple(self._open)
        for asking in under_way:
            asking.keep()

    @contextmanager
    def _asking(self, step_id: str, attempt: int | None) -> Iterator["_Asking"]:
        asking = _Asking(self._reporter, step_id, attempt)
        with self._changed:
            self._open.add(asking)
        if self._stopping.is_set():  # since it was looked at last: then `keep_open` did not see this one
            asking.keep()
        try:
            yield asking
        finally:
            with self._changed:
                self._open.discard(asking)
            asking.close()


class _Asking:
    """One claim until its answer, and what gives back the attempt."""

    def __init__(self, reporter: Reporter, step_id: str, attempt: int | None) -> None:
        self.key = uuid4().hex
        self._reporter, self._step_id, self._attempt = reporter, step_id, attempt
        self._kept: Kept | None = None
        self._is_closed = False
        self._changing = threading.Lock()

    def keep(self) -> None:
        """From now on it is on disk, until the server has answered."""
        with self._changing:
            if self._kept is None and not self._is_closed:
                report = {**HANDED_BACK.report(self._attempt), "key": self.key}
                self._kept = self._reporter.keep(self._step_id, report)

    def give_up(self, error: Unreachable) -> None:
        """Raises, as there is no claim; one that was never more than failed at got nothing to give back."""
        with self._changing:
            kept, self._kept, self._is_closed = self._kept, None, True
        if kept is None:
            raise error
        self._reporter.try_once(kept)
        raise Unanswered(str(error)) from error

    def close(self) -> None:
        """The server has answered, or what was kept is no more this one's business."""
        with self._changing:
            kept, self._kept, self._is_closed = self._kept, None, True
        if kept:
            self._reporter.forget(kept)
