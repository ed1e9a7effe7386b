"""Brings what a step prints to the server: through a file, so that neither a slow server nor a fast step waits.

The thread that reads the step's output appends to the file; a second thread sends what is new, by offset.
"""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from worker.api import ApiClient, ApiError, Unreachable

log = structlog.get_logger(__name__)

CHUNK_BYTES = 256 * 1024
FLUSH_S = 0.2
"""How often new output is sent while it flows: a follower sees a line this late at most."""
DRAIN_S = 30.0
"""How long the end of a log may take to arrive; the outcome of the step must not wait for it for ever."""
RETRY_S = 1.0


class LogStream:
    """One attempt's log. `write` may be called from one thread; leaving the `with` block sends the rest."""

    def __init__(self, client: ApiClient, step_id: str, attempt: int, spool: Path, limit_bytes: int) -> None:
        self._client, self._step_id, self._attempt = client, step_id, attempt
        self._file = spool.open("w+b")
        self._limit = limit_bytes
        self._written = 0
        self._sent = 0
        self._changed = threading.Condition()
        self._closing = False
        self._abandoned = threading.Event()
        self._sender = threading.Thread(target=self._run, name=f"log {step_id}", daemon=True)

    def write(self, content: bytes) -> None:
        """Add output; past the limit it is dropped, and the log says so once."""
        with self._changed:
            room = self._limit - self._written
            if room <= 0:
                return
            kept = content[:room]
            if len(content) > room:
                kept += f"\n» the log is cut off here: its limit is {self._limit} bytes\n".encode()
            self._file.seek(self._written)
            self._file.write(kept)
            self._written += len(kept)

    def say(self, line: str) -> None:
        """Add a line of the runner's own."""
        self.write(f"» {line}\n".encode())

    def __enter__(self) -> Self:
        self._sender.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._sender.join(DRAIN_S)
        if self._sender.is_alive():
            self._abandoned.set()
            log.warning("log not delivered whole", step=self._step_id, attempt=self._attempt)
            self._sender.join()
        self._file.close()

    def _run(self) -> None:
        while not self._abandoned.is_set():
            with self._changed:
                if self._sent == self._written and self._closing:
                    return
                if not self._closing:
                    self._changed.wait(FLUSH_S)
                self._file.seek(self._sent)
                content = self._file.read(min(CHUNK_BYTES, self._written - self._sent))
            if content and not self._deliver(content):
                return

    def _deliver(self, content: bytes) -> bool:
        try:
            self._sent = self._client.append_log(self._step_id, self._attempt, self._sent, content)
        except Unreachable:
            self._abandoned.wait(RETRY_S)
        except ApiError as error:
            log.warning("log refused", step=self._step_id, attempt=self._attempt, error=str(error))
            return False
        return True
