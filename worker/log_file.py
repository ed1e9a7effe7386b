"""An attempt's log on the runner's disk: what the step printed, up to a limit, and lines of the runner's own.

One thread adds, another reads. The limit holds for the whole log, so that the server, which has the same limit, need
not cut again: the last bytes below it are kept for the runner's own lines. A disk that takes no more costs the rest of
the output; what the runner has to say is kept in memory then, and follows what is on disk.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

log = structlog.get_logger(__name__)

OWN_BYTES = 1024
"""Room for the lines that say how the step ended, however much it printed."""


class LogFile:
    """`echo`, if given, gets everything that is added, whatever the limit."""

    def __init__(self, path: Path, limit_bytes: int, echo: Callable[[bytes], None] | None = None) -> None:
        self._file = path.open("w+b", buffering=0)
        self._limit = limit_bytes
        self._output_limit = limit_bytes - min(OWN_BYTES, limit_bytes // 2)
        self._echo = echo
        self._stored = 0
        self._held = b""
        self._at_line_start = True
        self._is_cut = self._is_broken = False
        self._adding = threading.Lock()

    @property
    def size(self) -> int:
        """How many bytes there are to send."""
        return self._stored + len(self._held)

    def write(self, content: bytes) -> None:
        """Add output; past the limit it is dropped, and the log says so once."""
        self._show(content)
        with self._adding:
            kept = content[: max(self._output_limit - self.size, 0)]
            self._store(kept)
            if len(kept) < len(content) and not self._is_cut:
                self._is_cut = True
                self._add_own(self._line(f"the log is cut off here: its limit is {self._limit} bytes"))

    def say(self, line: str) -> None:
        """Add a line of the runner's own."""
        with self._adding:
            said = self._line(line)
            self._show(said)
            self._add_own(said)

    def read(self, start: int, size_bytes: int) -> bytes:
        """Bytes from `start` on, fewer at the end."""
        with self._adding:
            stored, held = self._stored, self._held
        content = os.pread(self._file.fileno(), min(size_bytes, max(stored - start, 0)), start)
        behind = max(start - stored, 0)
        return content + held[behind : behind + size_bytes - len(content)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._file.close()

    def _line(self, line: str) -> bytes:
        said = f"» {line}\n"
        return (said if self._at_line_start else f"\n{said}").encode()

    def _add_own(self, line: bytes) -> None:
        if self._is_broken or not self._store(line[: self._room()]):
            self._hold(line)

    def _store(self, content: bytes) -> bool:
        """Add to the file; false where the disk did not take all of it."""
        rest = memoryview(content)
        try:
            while rest:
                count = os.pwrite(self._file.fileno(), rest, self._stored)
                self._stored, rest = self._stored + count, rest[count:]
        except OSError as error:
            self._note_end(content[: len(content) - len(rest)])
            self._break_off(error)
            return False
        self._note_end(content)
        return True

    def _break_off(self, error: OSError) -> None:
        log.error("log cut off: it cannot be written", error=str(error))
        self._is_broken = self._is_cut = True
        self._output_limit = 0
        self._hold(self._line(f"log truncated: storage ({error.strerror})"))

    def _hold(self, line: bytes) -> None:
        self._held += line[: self._room()]
        self._note_end(line)

    def _room(self) -> int:
        return max(self._limit - self.size, 0)

    def _note_end(self, content: bytes) -> None:
        if content:
            self._at_line_start = content.endswith(b"\n")

    def _show(self, content: bytes) -> None:
        if self._echo:
            self._echo(content)
