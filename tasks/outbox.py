"""Sends the messages of ready step runs to the pools' queues, and again those that the queues have lost.

The rows say how many steps of a pool wait for a runner. A queue that holds as many messages has lost none: then nothing
is sent again, however long it takes until a runner comes.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import structlog
from celery import Celery

from app.models.database import Database
from app.models.hints import DISPATCH
from app.services import dispatching
from app.services.dispatching import Dispatch
from tasks.broker_watch import UNREACHABLE, BrokerWatch
from tasks.celery_app import RUN, pool_queue
from tasks.queues import waiting

log = structlog.get_logger(__name__)


class Outbox:
    """The way from READY rows to the queues, for one thread."""

    def __init__(self, celery: Celery, database: Database, claim_deadline_s: float) -> None:
        self._celery = celery
        self._database = database
        self._claim_deadline_s = claim_deadline_s
        self._broker = BrokerWatch()

    def hand_out(self, build_id: str) -> None:
        """Send a build's ready steps that were never sent; where they are many, the rest is another task's, so that
        other builds and the sweep get their turn between."""
        dispatches = self._database.transact(dispatching.dispatch_build, build_id, self._claim_deadline_s)
        if self._send(dispatches) and len(dispatches) == dispatching.BUILD_LIMIT:
            with self._broker.sending(build=build_id):
                self._celery.send_task(DISPATCH, (build_id,))

    def hand_out_lost(self) -> None:
        """Send the ready steps that no hint told of, and those whose messages are not in their queue any more."""
        self._send(self._database.transact(dispatching.dispatch_unsent, self._claim_deadline_s))
        for pool, unclaimed in self._database.read(dispatching.unclaimed).items():
            self._replace_lost(pool, unclaimed)

    def _replace_lost(self, pool: str, unclaimed: int) -> None:
        queued = self._queued(pool)
        if queued is not None and queued < unclaimed:
            lost = unclaimed - queued
            self._send(self._database.transact(dispatching.dispatch_again, pool, lost, self._claim_deadline_s))

    def _queued(self, pool: str) -> int | None:
        """How many messages wait in the pool's queue; None where the broker does not say."""
        try:
            return waiting(self._celery, pool_queue(pool))
        except UNREACHABLE as error:
            log.warning("queue cannot be counted; the next sweep will", pool=pool, error=str(error))
            return None

    def _send(self, dispatches: Sequence[Dispatch]) -> bool:
        """Publish a message per dispatch; what cannot be sent is left to the next sweep. Whether all were sent."""
        if not dispatches:
            return True
        unsent = deque(dispatches)
        with self._broker.sending(steps=len(dispatches)):
            while unsent:
                self._publish(unsent[0])
                unsent.popleft()
        if unsent:
            self._database.transact(dispatching.take_back, tuple(unsent))
        return not unsent

    def _publish(self, dispatch: Dispatch) -> None:
        queue = pool_queue(dispatch.pool)
        self._celery.send_task(RUN, (dispatch.step_id, dispatch.attempt), queue=queue)
        log.info("step handed out", queue=queue, **ids_of(dispatch))


def ids_of(sent: Dispatch) -> dict[str, Any]:
    return {"project": sent.project_id, "build": sent.build_id, "step": sent.step_id, "attempt": sent.attempt}
