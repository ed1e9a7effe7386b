"""Bytes sent to the API as they are, and its answers read back."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import parse_headers
from typing import Any

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


class Wire:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(self, has_body: bool = True) -> Answer:
        """The next answer. Every answer of the API says how long its body is."""
        _, status, *_ = self._answers.readline().split()
        headers = parse_headers(self._answers)
        length = int(headers["Content-Length"] or 0) if has_body else 0
        return Answer(int(status), headers, self._answers.read(length))

    def has_ended(self) -> bool:
        """Whether the server closes the connection, having sent nothing more."""
        return self._answers.read(1) == b""

    def close(self) -> None:
        self._answers.close()


@contextmanager
def wire(port: int, buffer_bytes: int | None = None) -> Iterator[Wire]:
    """`buffer_bytes`: how much the kernel takes in for a client that does not read."""
    with socket.socket() as connection:
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.settimeout(DEADLINE_S)
        connection.connect(("127.0.0.1", port))
        line = Wire(connection)
        yield line
        line.close()


def ask(port: int, data: bytes) -> Answer:
    """Send one request, and read the answer."""
    with wire(port) as line:
        line.send(data)
        return line.answer()
