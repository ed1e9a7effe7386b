"""Clients that a server should not have to wait for: silent, half-sent, dripping, or deaf to what they asked for."""

import itertools
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

DRIP_EVERY_S = 0.5
TINY_BUFFER_BYTES = 4_096
POST = b"POST /api/projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


@dataclass
class BadClient:
    """One connection, and of which kind it is. `drips`: it sends a byte now and then."""

    kind: str
    connection: socket.socket
    drips: bool = False

    @property
    def is_held(self) -> bool:
        """Whether the server has neither answered nor closed it. What a reader of nothing asked for is on its way."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            readable = bool(selector.select(0))
        return self.kind == "reads nothing" or not readable


@contextmanager
def bad_clients(port: int, count: int, large_path: str) -> Iterator[Sequence[BadClient]]:
    """As many connections, of five kinds in turn, until the block ends. `large_path` answers with much."""
    get = f"GET {large_path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    kinds: tuple[Callable[[], BadClient], ...] = (
        lambda: BadClient("says nothing", _connect(port)),
        lambda: BadClient("sends half a head", _connect(port, POST[:40])),
        lambda: BadClient("sends half a body", _connect(port, POST + b'{"accountId": "')),
        lambda: BadClient("drips its body", _connect(port, POST + b"{"), drips=True),
        lambda: BadClient("reads nothing", _connect(port, get * 3, TINY_BUFFER_BYTES)),
    )
    clients = [make() for make in itertools.islice(itertools.cycle(kinds), count)]
    over = threading.Event()
    dripper = threading.Thread(target=_drip, args=([client for client in clients if client.drips], over))
    dripper.start()
    try:
        yield clients
    finally:
        over.set()
        dripper.join()
        for client in clients:
            client.connection.close()


def _connect(port: int, sent: bytes = b"", buffer_bytes: int | None = None) -> socket.socket:
    connection = socket.socket()
    if buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    connection.sendall(sent)
    return connection


def _drip(clients: Sequence[BadClient], over: threading.Event) -> None:
    while not over.wait(DRIP_EVERY_S):
        for client in clients:
            _send_byte(client.connection)


def _send_byte(connection: socket.socket) -> None:
    with suppress(OSError):  # the server may have had enough of it
        connection.sendall(b" ")
