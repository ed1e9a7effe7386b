"""Where a request's body ends. This only decides when to look: what the request means, gunicorn's parser says.

What is no body at all is whole at once, so that the parser refuses it.
"""

import re
from dataclasses import dataclass
from typing import Protocol

MAX_LINE_BYTES = 8_190
"""Of a chunk's size and its extensions; gunicorn's own figure."""
_FIELD = re.compile(rb"\r\n([A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)


class Body(Protocol):
    """Is given a body piece by piece and says when it has all of it. `announced_bytes`: 0 where nobody said."""

    announced_bytes: int

    @property
    def is_whole(self) -> bool: ...

    def take(self, data: bytes) -> None: ...


@dataclass(frozen=True)
class Head:
    """What a request's head says of its body. `awaits_leave`: the client sends it once it is told to go on."""

    length_bytes: int
    is_chunked: bool
    awaits_leave: bool

    def body(self) -> Body:
        return Chunked() if self.is_chunked else Counted(self.length_bytes)


def read_head(head: bytes) -> Head:
    """The head without the empty line after it, but with its last line's end. Two lengths, or one that is none, are
    for the parser to refuse, and nothing is waited for."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in _FIELD.findall(head):
        fields.setdefault(name.lower(), []).append(value)
    lengths = fields.get(b"content-length", [])
    return Head(
        length_bytes=int(lengths[0]) if len(lengths) == 1 and re.fullmatch(rb"[0-9]{1,15}", lengths[0]) else 0,
        is_chunked=b"transfer-encoding" in fields and not lengths,
        awaits_leave=[value.lower() for value in fields.get(b"expect", [])] == [b"100-continue"],
    )


class Counted:
    """A body whose length was announced."""

    def __init__(self, length_bytes: int) -> None:
        self.announced_bytes = length_bytes
        self._left = length_bytes

    @property
    def is_whole(self) -> bool:
        return self._left <= 0

    def take(self, data: bytes) -> None:
        self._left -= len(data)


class Chunked:
    """A body in chunks, each with its size before it; an empty one and perhaps trailers end it."""

    announced_bytes = 0

    def __init__(self) -> None:
        self.is_whole = False
        self._line = bytearray()
        self._left = 0
        self._in_trailers = False

    def take(self, data: bytes) -> None:
        while data and not self.is_whole:
            data = self._pass_chunk(data) if self._left else self._take_line(data)

    def _pass_chunk(self, data: bytes) -> bytes:
        passed = min(self._left, len(data))
        self._left -= passed
        return data[passed:]

    def _take_line(self, data: bytes) -> bytes:
        piece, found, rest = data.partition(b"\n")
        self._line += piece + found
        if found:
            self._end_line(bytes(self._line).rstrip(b"\r\n"))
            self._line.clear()
        elif len(self._line) > MAX_LINE_BYTES:
            self.is_whole = True
        return rest

    def _end_line(self, line: bytes) -> None:
        if self._in_trailers:
            self.is_whole = not line
        elif match := _SIZE.fullmatch(line):
            self._begin_chunk(int(match[1], 16))
        else:
            self.is_whole = True

    def _begin_chunk(self, size_bytes: int) -> None:
        self._in_trailers = size_bytes == 0
        self._left = size_bytes + len(b"\r\n") if size_bytes else 0
