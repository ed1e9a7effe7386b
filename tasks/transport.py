"""Redis as kombu speaks it, except that a list entry that is no message is dropped instead of ending the worker.

kombu parses what it takes from the list outside of every error handler, so one `LPUSH orchestrate x` would end each
worker that takes it. What has a message's form is judged later, in `tasks/consumer.py`.
"""

from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis, virtual

log = structlog.get_logger(__name__)


class Garbled(ValueError):
    """It is no message."""


class Message(virtual.Message):
    """A message whose envelope has been looked at."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        try:
            super().__init__(payload, channel, **options)
        except (KeyError, TypeError, AttributeError) as error:
            raise Garbled(f"no envelope: {error!r}") from error
        if not isinstance(self.delivery_tag, str) or not isinstance(self.properties, dict):
            raise Garbled("no delivery tag")


class Channel(redis.Channel):
    """A channel that goes on after an entry it cannot read."""

    Message = Message

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # kombu's types leave it out
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            log.warning("queue entry dropped: it is no message", error=str(error))
            raise Empty from None


class Transport(redis.Transport):
    """kombu's, with our channels."""

    Channel = Channel


def install() -> None:
    """Have every Redis URL of this process mean it; the setting `broker_transport` covers neither unix nor rediss."""
    TRANSPORT_ALIASES.update(redis=f"{__name__}:Transport", rediss=f"{__name__}:Transport")
