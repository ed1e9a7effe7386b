"""Celery's consumer with three differences: no talk between workers, no message that can end a worker, and no long wait
before it looks whether the broker is back.

Mingle and gossip exchange clocks and revoked tasks, and nothing here uses either. Celery knows most malformed
messages and drops them itself; the rest (a header of a wrong type, say) would reach the worker's main loop.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery.worker.consumer import Consumer as CeleryConsumer
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

RECONNECT_MAX_S = 3
"""Between two tries. kombu would wait for up to half a minute, and builds with it, when the broker is long back."""
ALONE = {"without_mingle": True, "without_gossip": True}


class Consumer(CeleryConsumer):
    """What `worker_consumer` names."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "worker_options": {**options["worker_options"], **ALONE}})

    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = partial(conn.ensure_connection, interval_step=1, interval_max=RECONNECT_MAX_S)
        return super().ensure_connected(conn)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Celery's handler of messages, and what to do where it fails."""
        handle = super().create_task_handler(*args, **kwargs)

        def handle_or_drop(message: Any) -> None:
            try:
                handle(message)
            except (RedisError, OSError):  # the broker's failure, not the message's: it is delivered again
                raise
            except Exception:
                log.exception("message dropped: it cannot be handled")
                message.reject()

        return handle_or_drop
