"""A request on its way in. Kept until it is whole, a large one on disk, and then read by gunicorn's parser."""

import re
from tempfile import SpooledTemporaryFile

from app.api.serving.framing import Body, Head, read_head

MAX_HEAD_BYTES = 64 * 1024
IN_MEMORY_BYTES = 256 * 1024
"""A runner's piece of a log; what is larger waits on disk, so that many half bodies do not fill the memory."""
_END = b"\r\n\r\n"
_BARE_BREAK = re.compile(rb"(?<!\r)\n")


class Arrival:
    """`is_cut`: it is larger than any that is taken, so the rest is not waited for."""

    def __init__(self, max_body_bytes: int) -> None:
        self.size_bytes = 0
        self.head: Head | None = None
        self.is_cut = False
        self._is_broken = False
        self._max_body_bytes = max_body_bytes
        self._body_bytes = 0
        self._body: Body | None = None
        self._begun = bytearray()
        self._kept = SpooledTemporaryFile[bytes](IN_MEMORY_BYTES)

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing more to wait for: all of it came, or what came is enough to refuse it."""
        return self.is_cut or self._is_broken or (self._body is not None and self._body.is_whole)

    @property
    def announced_bytes(self) -> int:
        """How much there is to wait for, as far as that is known."""
        return max(self.size_bytes, self._body.announced_bytes if self._body else 0)

    @property
    def awaits_leave(self) -> bool:
        """Whether the client sends its body once it is told to go on."""
        return self.head is not None and self.head.awaits_leave and not self.is_whole

    def take(self, data: bytes) -> None:
        """Bytes as they come; those of a next request too, which `rest` gives back."""
        self._kept.write(data)
        self.size_bytes += len(data)
        if self._body is None:
            data = self._take_head(data)
        if self._body is not None:
            self._take_body(self._body, data)

    def begin_reading(self) -> None:
        """From here on `recv` gives what has come."""
        self._kept.seek(0)

    def recv(self, size: int) -> bytes:
        """As of a socket whose client has sent all it will send."""
        return self._kept.read(size)

    def rest(self) -> bytes:
        """What nobody has read yet."""
        return self._kept.read()

    def close(self) -> None:
        self._kept.close()

    def _take_head(self, data: bytes) -> bytes:
        """The part of the data that comes after the head. A line that ends with LF alone the parser will refuse."""
        searched = max(0, len(self._begun) - len(_END))
        self._begun += data
        end = self._begun.find(_END, searched)
        if end < 0:
            self.is_cut = len(self._begun) > MAX_HEAD_BYTES
            self._is_broken = bool(_BARE_BREAK.search(self._begun, searched))
            return b""
        self.head = read_head(bytes(self._begun[: end + 2]))
        self._body = self.head.body()
        return bytes(self._begun[end + len(_END) :])

    def _take_body(self, body: Body, data: bytes) -> None:
        body.take(data)
        self._body_bytes += len(data)
        if not body.is_whole:
            self.is_cut = max(self._body_bytes, body.announced_bytes) > self._max_body_bytes
