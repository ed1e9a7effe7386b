"""gunicorn's threaded worker, with all waiting for clients moved from its threads to its one poller.

A thread is given a request when it is whole, and gives it back when its client has to take something. So threads wait
for the database only, and as many clients as there are connections may be slow, silent or gone.
"""

import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from app.api.serving import refusals
from app.api.serving.connection import Connection, Phase
from app.api.serving.exchange import Exchange
from config.settings import load_settings

RECEIVED_AT_ONCE_BYTES = 64 * 1024
LOOK_EVERY_S = 0.5


class Worker(ThreadWorker):  # gunicorn's loop, accepting, its pool of threads and its stop are as they were
    """All methods run on the main thread, but for `handle`."""

    def init_process(self) -> None:
        settings = load_settings()
        self._timeout_s = settings.client_timeout_s
        self._max_body_bytes = max(settings.max_body_bytes, settings.max_complete_body_bytes)
        self._waiting: set[Connection] = set()
        self._next_look = 0.0
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        try:
            accepted, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            self.log.warning("A connection could not be accepted: %s", error)
            self._make_room()
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        connection = Connection(accepted, (client, listener.getsockname()), self._timeout_s, self._max_body_bytes)
        self._await_request(connection, self._timeout_s)

    def handle(self, connection: Connection) -> bool:
        """In a thread of the pool: go on with the exchange; whether it is over."""
        assert connection.exchange
        return connection.exchange.advance()

    def finish_request(self, connection: Connection, answered: Future[bool]) -> None:
        """The thread has done what it could."""
        self._guard(connection, partial(self._go_on, answered=answered))

    def murder_pending(self) -> None:
        """gunicorn's loop calls this often; connections whose time is over are ended."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY_S
        for connection in [connection for connection in self._waiting if connection.deadline <= now]:
            self._guard(connection, self._expire)

    def murder_keepalived(self, force: bool = False) -> None:
        """Called with `force` at the very end of a stop."""
        if force:
            for connection in list(self._waiting):
                self._drop(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """A stop begins: what was not asked by then is not waited for."""
        for connection in self._waiting:
            if connection.phase is Phase.ARRIVING:
                connection.hurry(deadline)

    def _await_request(self, connection: Connection, idle_s: float) -> None:
        connection.expect_request(time.monotonic(), idle_s)
        if connection.arrival.is_whole:
            self._answer(connection)
        else:
            self._wait(connection, selectors.EVENT_READ, self._receive)

    def _receive(self, connection: Connection) -> None:
        data = self._read(connection)
        if not data:
            return
        connection.take(data, time.monotonic())
        if connection.arrival.is_whole:
            self._stop_waiting(connection)
            self._answer(connection)

    def _read(self, connection: Connection) -> bytes:
        """What the client has sent; nothing where that was a false alarm, or the end of the connection."""
        try:
            data = connection.socket.recv(RECEIVED_AT_ONCE_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            self._drop(connection)
        return data

    def _answer(self, connection: Connection) -> None:
        connection.phase = Phase.ANSWERED
        connection.exchange = Exchange(
            self.wsgi, connection.arrival, connection.outbox, connection.ends, self.cfg, is_last=not self.alive
        )
        self.enqueue_req(connection)

    def _go_on(self, connection: Connection, answered: Future[bool]) -> None:
        is_over = answered.result()
        if connection.outbox.size_bytes:
            connection.expect_taking(time.monotonic())
            self._wait(connection, selectors.EVENT_WRITE, partial(self._send, is_over=is_over))
        else:
            self._end_exchange(connection)

    def _send(self, connection: Connection, is_over: bool) -> None:
        connection.outbox.flush()
        if connection.outbox.size_bytes:
            return
        self._stop_waiting(connection)
        if is_over:
            self._end_exchange(connection)
        else:
            self.enqueue_req(connection)

    def _end_exchange(self, connection: Connection) -> None:
        rest = connection.end_exchange()
        if rest is None:
            self._linger(connection)
            return
        if rest:
            connection.take(rest, time.monotonic())
        self._await_request(connection, self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)

    def _linger(self, connection: Connection) -> None:
        """Closed at once, a connection with unread bytes would be reset, and the client lose its answer."""
        connection.expect_end(time.monotonic())
        self._wait(connection, selectors.EVENT_READ, self._read)

    def _expire(self, connection: Connection) -> None:
        if connection.phase is not Phase.ARRIVING or connection.is_idle:
            self._drop(connection)
            return
        self._stop_waiting(connection)
        refusals.refuse(refusals.of_late(self._timeout_s), connection.outbox, connection.ends[0])
        self._linger(connection)

    def _make_room(self) -> None:
        """Let go of the connection that has been waited for longest: many silent ones must not keep others out."""
        arriving = [connection for connection in self._waiting if connection.phase is Phase.ARRIVING]
        if arriving:
            self._drop(min(arriving, key=lambda connection: connection.since))

    def _wait(self, connection: Connection, event: int, then: Callable[[Connection], object]) -> None:
        self._waiting.add(connection)
        self.poller.register(connection.socket, event, partial(self._called, connection, then))

    def _called(self, connection: Connection, then: Callable[[Connection], object], _socket: Any) -> None:
        """Its event may be one of several at once, and an earlier one have ended it."""
        if connection in self._waiting:
            self._guard(connection, then)

    def _guard(self, connection: Connection, then: Callable[[Connection], object]) -> None:
        """What goes wrong with one connection ends that one."""
        try:
            then(connection)
        except OSError as error:
            self.log.debug("A connection broke: %s", error)
            self._drop(connection)
        except Exception:
            self.log.exception("A request failed")
            self._drop(connection)

    def _stop_waiting(self, connection: Connection) -> None:
        if connection in self._waiting:
            self._waiting.remove(connection)
            self.poller.unregister(connection.socket)

    def _drop(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        self.nr_conns -= 1
        try:
            connection.close()
        except Exception:
            self.log.exception("A request could not be ended")
