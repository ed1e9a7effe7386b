"""Brings what a step prints to the server: through a file, so that neither a slow server nor a fast step waits.

The thread that reads the step's output appends to the file; a second thread sends what is new, by offset.
"""

import threading
from types import TracebackType
from typing import Self

import structlog

from worker.api import ApiClient, ApiError, Claim, Unreachable
from worker.clock import clock
from worker.lease import Halt, Lease
from worker.log_file import LogFile
from worker.threads import start_thread

log = structlog.get_logger(__name__)

CHUNK_BYTES = 256 * 1024
FLUSH_S = 0.2
"""How often new output is sent while it flows: a follower sees a line this late at most."""
RETRY_S = 1.0
DRAIN_S = 30.0
"""How long the end of a log may be stuck at a server that answers; one that is away could take no outcome either."""
SHUTDOWN_DRAIN_S = 2.0
"""The same for a runner that is asked to end."""


class LogStream:
    """One attempt's log on its way. Leaving the `with` block sends the rest, for as long as that gets on."""

    def __init__(self, client: ApiClient, claim: Claim, lease: Lease, file: LogFile) -> None:
        self._client, self._claim, self._lease, self._file = client, claim, lease, file
        self._sent = 0
        self._moved_at = clock()
        self._closing = threading.Event()
        self._sender: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._sender = start_thread(f"log {self._claim.step_id}", self._send)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._moved_at = clock()
        self._closing.set()
        while self._sender and self._sender.is_alive() and not self._is_stuck():
            self._sender.join(FLUSH_S)
        if not self.is_whole:
            log.warning("log not delivered whole", sent_bytes=self._sent, size_bytes=self._file.size)

    @property
    def is_whole(self) -> bool:
        """Whether the server has all of it."""
        return self._sent >= self._file.size

    def _send(self) -> None:
        """The second thread: it may outlive the stream by one answer, so the file is its own to close."""
        with self._file:
            self._send_all()
            self._closing.wait()  # a step whose log is refused prints on for a while

    def _send_all(self) -> None:
        while not self._is_stuck():
            last_round = self._closing.is_set()
            content = self._file.read(self._sent, CHUNK_BYTES)
            if content and not self._deliver(content):
                return
            if len(content) < CHUNK_BYTES:
                if last_round and self.is_whole:
                    return
                self._closing.wait(FLUSH_S)

    def _deliver(self, content: bytes) -> bool:
        """Send one chunk; false where the server will take no more."""
        try:
            end = self._client.append_log(self._claim.step_id, self._claim.attempt, self._sent, content)
        except Unreachable as error:
            log.debug("log waits for the server", error=str(error))
            if self._lease.halted is None:
                self._moved_at = clock()
            self._pause()
        except ApiError as error:
            log.warning("log refused", error=str(error))
            return False
        else:
            self._go_on_at(min(end, self._file.size))
        return True

    def _go_on_at(self, end: int) -> None:
        """Where the server wants the next bytes: behind these, or somewhere before if it has less than was thought."""
        gained, self._sent = end > self._sent, end
        if gained:
            self._moved_at = clock()
        else:
            self._pause()

    def _pause(self) -> None:
        if self._lease.halted:
            threading.Event().wait(FLUSH_S)
        else:
            self._lease.wait(RETRY_S)

    def _is_stuck(self) -> bool:
        """Once the step has ended: whether nothing has arrived for as long as it is worth waiting."""
        return self._closing.is_set() and clock() > self._moved_at + self._patience_s()

    def _patience_s(self) -> float:
        match self._lease.halted:
            case None:
                return DRAIN_S
            case Halt.SHUTDOWN:
                return SHUTDOWN_DRAIN_S
            case _:
                return 0  # the server has closed the attempt's log
