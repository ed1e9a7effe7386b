"""Standard output for a command that has more to do than to print: while a disk is full, lines are late or lost.

A reader that has left is an error as ever: nobody needs the rest.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class PatientOutput:
    """As much of a stream as a console uses."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding
        self.isatty = stream.isatty
        self.fileno = stream.fileno

    def write(self, text: str) -> int:
        with _patience():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with _patience():
            self._stream.flush()


@contextmanager
def _patience() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
