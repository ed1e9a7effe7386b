"""One client's connection: what it has sent, what it has still to take, and until when it may be waited for."""

import math
import socket
from enum import Enum
from typing import Any

from app.api.serving.arrival import Arrival
from app.api.serving.exchange import Exchange
from app.api.serving.outbox import Outbox

LEAST_BYTES_PER_S = 32 * 1024
"""A client that sends or takes much gets more time, by this: 8 MiB may come in four minutes and a half."""
LINGER_S = 2.0
"""How long a connection that is closed waits for the client to see its last answer."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Phase(Enum):
    """What a connection waits for."""

    ARRIVING = "its request"
    ANSWERED = "a thread that answers"
    LEAVING = "its client to take the answer"
    CLOSING = "its client to see that this is the end"


class Connection:
    """`timeout_s` is what a client gets to send a request, and again to take each piece of its answer."""

    def __init__(self, accepted: socket.socket, ends: tuple[Any, Any], timeout_s: float, max_body_bytes: int) -> None:
        accepted.setblocking(False)
        self.socket = accepted
        self.ends = ends
        self.outbox = Outbox(accepted)
        self.exchange: Exchange | None = None
        self.phase = Phase.ARRIVING
        self.deadline = self.since = 0.0
        self._no_later_than = math.inf
        self._timeout_s, self._max_body_bytes = timeout_s, max_body_bytes
        self.arrival = Arrival(max_body_bytes)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come."""
        return self.arrival.size_bytes == 0

    def expect_request(self, now: float, idle_s: float) -> None:
        """From now on a request is waited for, and at most `idle_s` for its first byte."""
        self.phase, self.since = Phase.ARRIVING, now
        self.deadline = now + idle_s if self.is_idle else self._arriving_until()

    def take(self, data: bytes, now: float) -> None:
        """Bytes of a request. Time counts from the first; a client that asks whether to go on is told so."""
        asked = self.arrival.awaits_leave
        if self.is_idle:
            self.since = now
        self.arrival.take(data)
        self.deadline = self._arriving_until()
        if self.arrival.awaits_leave and not asked:
            self.outbox.sendall(CONTINUE)

    def hurry(self, deadline: float) -> None:
        """A request that has not come by then is not waited for, whatever comes of it meanwhile."""
        self._no_later_than = deadline
        self.deadline = min(self.deadline, deadline)

    def expect_taking(self, now: float) -> None:
        """From now on the client is waited for to take what is in the outbox."""
        self.phase, self.since = Phase.LEAVING, now
        self.deadline = now + self._time_for(self.outbox.size_bytes)

    def expect_end(self, now: float) -> None:
        """Nothing more is sent; what the client still sends is thrown away."""
        self.phase, self.deadline = Phase.CLOSING, now + LINGER_S
        self.socket.shutdown(socket.SHUT_WR)

    def end_exchange(self) -> bytes | None:
        """What came after the request that has been answered; None where the connection ends with it."""
        rest = self.exchange.rest if self.exchange else None
        self.exchange = None
        self.arrival.close()
        self.arrival = Arrival(self._max_body_bytes)
        return rest

    def close(self) -> None:
        if self.exchange:
            self.exchange.abandon()
        self.arrival.close()
        self.socket.close()

    def _arriving_until(self) -> float:
        return min(self.since + self._time_for(self.arrival.announced_bytes), self._no_later_than)

    def _time_for(self, size_bytes: int) -> float:
        return self._timeout_s + size_bytes / LEAST_BYTES_PER_S
