"""Sends hints from a thread of its own, so that no request ever waits for the broker.

A hint that cannot be sent is dropped and logged: the sweep finds the same work in the rows.
"""

import queue
import threading
from collections.abc import Sequence

import structlog
from celery import Celery

from app.models.hints import Hint
from tasks.broker_watch import BrokerWatch

log = structlog.get_logger(__name__)

CAPACITY = 10_000
"""Hints kept while the broker is slow; more would only repeat what the rows say."""


class Relay:
    """A queue of hints and the thread that publishes them, in order."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._broker = BrokerWatch()
        self._hints: queue.Queue[Hint] = queue.Queue(CAPACITY)
        threading.Thread(target=self._run, name="relay", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Hints that are neither sent nor dropped yet."""
        return self._hints.qsize()

    def put(self, hints: Sequence[Hint]) -> None:
        """Take hints without waiting for anything."""
        try:
            for hint in hints:
                self._hints.put_nowait(hint)
        except queue.Full:
            log.warning("hints dropped; the sweep will find the work", kept=CAPACITY)

    def _run(self) -> None:
        while True:
            hint = self._hints.get()
            with self._broker.sending(build=hint.build_id):
                self._celery.send_task(hint.task, (hint.build_id,))
