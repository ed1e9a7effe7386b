"""One client's connection: waitress's, with an end to all waiting for it."""

import socket
import time
from typing import Any

import structlog
from waitress.channel import HTTPChannel

from app.api.serving.requests import Refusal, Request

log = structlog.get_logger(__name__)

LEAST_BYTES_PER_S = 32 * 1024
"""A client that sends much gets more time, by this: 8 MiB may come in four minutes and a half."""
LINGER_S = 2.0
"""How long a connection that ends is kept for the client to see its last answer, or at a stop for a last request."""


class Channel(HTTPChannel):
    """`since`: when the wait for a request began; `size_bytes`: how much of it there is, as far as is known.

    `is_deferred`: a request waits until the client has taken an answer; `is_ending`: nothing more is sent.
    """

    parser_class = Request
    error_task_class = Refusal
    is_deferred = is_ending = False
    requests: list[Request]
    request: Request | None
    will_close: bool
    current_outbuf_count: int
    size_bytes = 0

    def __init__(self, *args: Any, **named: Any) -> None:
        self.since = time.monotonic()
        super().__init__(*args, **named)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing happens until the client does something, so that no thread is here."""
        return self.is_deferred or not self.requests

    @property
    def is_owed(self) -> bool:
        """Whether the client has an answer to come."""
        return bool(self.requests or self.total_outbufs_len)

    def is_late(self, now: float, timeout_s: float) -> bool:
        """Part of a request has all its time together; else it runs from when something was last sent or taken."""
        if self.is_ending:
            return now >= self.since + LINGER_S
        if self.total_outbufs_len or not self.request:
            return bool(now >= self.last_activity + timeout_s)
        return now >= self.since + timeout_s + self.size_bytes / LEAST_BYTES_PER_S

    @property
    def last_activity(self) -> float:
        """When something was last sent or received. waitress sets it by the wall clock, which may jump."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, _wall: float) -> None:
        self._active_at = time.monotonic()

    def received(self, data: bytes) -> None:
        if self.is_ending:
            return
        if not self.request and not self.requests:
            self.since, self.size_bytes = time.monotonic(), 0
        super().received(data)
        if self.request:
            self.size_bytes = max(self.request.content_length, self.request.body_bytes_received)

    def service(self) -> None:
        """In a thread. A client that has not taken an answer gets no other, so it costs the room of one at most."""
        if self.total_outbufs_len:
            self.is_deferred = True
            self.server.pull_trigger()
            return
        if not self.server.accepting:
            self.requests[0].headers["CONNECTION"] = "close"
        self.since = time.monotonic()
        super().service()

    def write_soon(self, data: bytes) -> int:
        """In a thread. A buffer in memory keeps what was sent from it too, so a long answer goes through many: it would
        be in memory whole else, for a client that takes it as fast as it comes."""
        with self.outbuf_lock:
            if self.current_outbuf_count >= self.adj.outbuf_overflow and not self.outbufs[-1].overflowed:
                self.current_outbuf_count = self.adj.outbuf_high_watermark  # so that waitress begins another one
            try:
                written: int = super().write_soon(data)
            except OSError as error:
                log.error("no room on disk for an answer, which breaks off", error=str(error))
                self.will_close = True
                self.server.pull_trigger()
                raise
        return written

    def writable(self) -> bool:
        """Asked by waitress's loop each time before it waits."""
        if self.is_deferred and not self.total_outbufs_len:
            self.is_deferred = False
            self.server.add_task(self)
        return bool(super().writable())

    def handle_close(self) -> None:
        """Closed at once, a connection with unread bytes would be reset, and the client lose its answer."""
        if self.is_ending or not self.will_close:
            self.drop()
            return
        self.will_close, self.is_ending, self.since = False, True, time.monotonic()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop()

    def expire(self, timeout_s: float) -> None:
        """The client has had its time. If that was for a request of which some came, it is told so."""
        if self.is_owed or self.is_ending or not self.request:
            self.drop()
            return
        self.request.refuse(408, f"{timeout_s:g} seconds")
        self.requests, self.request = [self.request], None
        self.server.add_task(self)

    def drop(self) -> None:
        super().handle_close()
