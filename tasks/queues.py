"""Looks into the broker's queues."""

from celery import Celery


def waiting(celery: Celery, queue: str) -> int:
    """How many messages wait in the queue; those that a worker has taken do not count. Cost: one command to Redis.

    Raises what `tasks.broker_watch.UNREACHABLE` names where the broker does not say.
    """
    with celery.connection_or_acquire() as connection:
        return int(connection.default_channel.queue_declare(queue).message_count)
