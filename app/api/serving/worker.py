"""gunicorn's worker process: makes waitress's server on gunicorn's socket, runs its loop, and ends it gently."""

import os
import time

from gunicorn.workers.base import Worker as BaseWorker
from waitress import create_server, wasyncore

from app.api.serving.channel import LINGER_S, Channel
from app.api.serving.requests import MAX_HEAD_BYTES
from config.settings import load_settings

LOOK_EVERY_S = 0.5
IN_MEMORY_BYTES = 512 * 1024
"""Of a request, and of an answer; a runner's piece of a log is less. What is larger waits on disk."""
HELD_LOGS = 16
"""So many logs of the largest size may wait on disk for clients that do not take them."""
NEVER = 2**62


class Worker(BaseWorker):
    """All of it is the main thread, which waits for all clients; waitress's threads wait for the database only."""

    def run(self) -> None:
        """Serve until gunicorn asks this process to end, or is gone; then end what was begun, within its time."""
        self._settings = load_settings()
        self._map: dict[int, object] = {}
        self._next_look = 0.0
        server = self._server()
        while self.alive and os.getppid() == self.ppid:
            self._step()
        wasyncore.dispatcher.close(server)  # its own would also end what threads wake the loop with
        self._end(time.monotonic())

    def _server(self) -> wasyncore.dispatcher:
        """waitress's time limit and high-water mark are off: one lets clients drip, the other makes threads wait."""
        settings = self._settings
        (listener,) = self.sockets
        server = create_server(
            self.wsgi,
            map=self._map,
            sockets=[listener.sock],
            backlog=self.cfg.backlog,
            threads=self.cfg.threads,
            connection_limit=self.cfg.worker_connections,
            max_request_header_size=MAX_HEAD_BYTES,
            max_request_body_size=max(settings.max_body_bytes, settings.max_complete_body_bytes) + 1,
            inbuf_overflow=IN_MEMORY_BYTES,
            outbuf_overflow=IN_MEMORY_BYTES,
            outbuf_high_watermark=NEVER,
            channel_timeout=NEVER,
            log_socket_errors=False,
            ident=None,
        )
        server.channel_class = Channel
        return server

    def _step(self) -> None:
        self.notify()
        wasyncore.loop(timeout=LOOK_EVERY_S, use_poll=True, map=self._map, count=1)
        if len(self._map) >= self.cfg.worker_connections:
            for channel in self._waiting()[:1]:
                channel.drop()
        if time.monotonic() >= self._next_look:
            self._look(time.monotonic())

    def _channels(self) -> list[Channel]:
        return [each for each in self._map.values() if isinstance(each, Channel)]

    def _waiting(self) -> list[Channel]:
        """Those to let go of if need be, first the one that has been waited for longest; last who takes an answer."""
        waiting = [channel for channel in self._channels() if channel.is_waiting]
        return sorted(waiting, key=lambda channel: (channel.is_owed, channel.since))

    def _look(self, now: float) -> None:
        self._next_look = now + LOOK_EVERY_S
        for channel in self._waiting():
            if channel.is_late(now, self._settings.client_timeout_s):
                channel.expire(self._settings.client_timeout_s)
        deaf = [channel for channel in self._waiting() if channel.is_owed]
        while sum(channel.total_outbufs_len for channel in deaf) > HELD_LOGS * self._settings.log_limit_bytes:
            deaf.pop(0).drop()

    def _end(self, now: float) -> None:
        """Whole requests are answered, and a last one may come on each connection, which is told that it is."""
        while self._channels() and time.monotonic() < now + self.cfg.graceful_timeout:
            self._step()
            if time.monotonic() >= now + LINGER_S:
                for channel in self._channels():
                    if not channel.is_owed:
                        channel.drop()
