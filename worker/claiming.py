"""Asks the server for an attempt until it answers, as a claim without an answer may have been heard."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import structlog

from worker.api import ApiClient, Claim, Failing, Unreachable
from worker.clock import clock

log = structlog.get_logger(__name__)

CLAIM_PATIENCE_S = 2.5
"""An API that restarts is back within this; after it somebody else may have the message."""
CLAIM_PAUSE_S = 0.5


class Unanswered(Unreachable):
    """The runner was asked to end before its claim was answered: the server may have the attempt down as its own."""

    def __init__(self, error: Unreachable, key: str) -> None:
        super().__init__(str(error))
        self.key = key


@dataclass(frozen=True)
class Claiming:
    """What a runner claims with. Thread-safe. `stopping` ends what it asks for."""

    client: ApiClient
    runner: str
    stopping: threading.Event

    def claim(self, step_id: str, attempt: int | None, unheard: Callable[[], None] | None) -> tuple[Claim, float]:
        """The claim, and when it was asked for: under one key for as long as it takes.

        The lease of a claim that is repeated begins anew, so the time is that of the try that was answered. Raises
        Refused and NotFound; Failing where the server fails at this step; without `unheard` Unreachable, after a while;
        with it Unanswered, and that when asked to end alone: `unheard` is called before, once, after the same while.
        """
        key, silent_at, is_told = uuid4().hex, clock() + CLAIM_PATIENCE_S, False
        while True:
            asked_at = clock()
            try:
                return self.client.claim(step_id, self.runner, attempt, key), asked_at
            except Unreachable as error:
                stops = self.stopping.wait(CLAIM_PAUSE_S)
                is_late = clock() >= silent_at
                if is_late and (unheard is None or isinstance(error, Failing)):
                    raise
                if not is_told and unheard and (stops or is_late):
                    log.warning("server unreachable", error=str(error))
                    unheard()
                    is_told = True
                if stops:
                    raise Unanswered(error, key) from error
