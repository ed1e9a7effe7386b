"""Redis as kombu speaks it, except that neither a list entry that is no message nor a full Redis ends the worker, and
that it is not deaf after an acknowledgement that could not be sent.

kombu parses and books what it takes from the list outside of every error handler: one `LPUSH orchestrate x` would end
each worker that takes it, and so would any message while there is no room to book it. What has a message's form is
judged later, in `tasks/consumer.py`.
"""

from contextlib import suppress
from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import OutOfMemoryError

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


class QoS(redis.QoS):
    """The book of messages taken and not acknowledged yet, which Redis keeps."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Book a message, in memory alone where Redis has no room: handling it is what makes room, and if this worker
        dies meanwhile, the sweep finds the work in the rows."""
        try:
            super().append(message, delivery_tag)
        except OutOfMemoryError:
            log.warning("broker full; message taken without being booked there")
            virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message, also where Redis cannot be told and will hand it out once more. One that counted as held
        for ever would be the last this worker took, as it takes one at a time."""
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def _remove_from_indices(self, delivery_tag: str, pipe: Any = None) -> Any:
        """What acknowledges a message, sent as single commands: of a transaction a full Redis refuses even those that
        make room."""
        if pipe is None:
            with self.channel.conn_or_acquire() as client:  # type: ignore[attr-defined]  # kombu's types leave it out
                pipe = client.pipeline(transaction=False)
        return super()._remove_from_indices(delivery_tag, pipe)  # type: ignore[misc]  # this one too

    def restore_visible(self, *arguments: Any, **options: Any) -> Any:
        """What gives a dead worker's messages to others, every few seconds: in a full Redis it finds no room either."""
        with suppress(OutOfMemoryError):
            return super().restore_visible(*arguments, **options)


class Channel(redis.Channel):
    """A channel that goes on after an entry it cannot read."""

    Message = Message
    QoS = QoS

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
