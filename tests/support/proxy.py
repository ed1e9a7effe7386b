"""A TCP proxy that a test puts between a client and a server, to be the network that fails.

It forwards until it is told otherwise; each change counts for connections and bytes from then on.
"""

import selectors
import socket
import threading
from contextlib import suppress

READ_BYTES = 65_536
ANYTHING = 1 << 60


class Proxy:
    """Listens on a loopback port of its own. `close` ends it with everything that goes through it."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._refuses = self._drops = False
        self._answers_left = ANYTHING
        self._flowing = threading.Event()
        self._flowing.set()
        self.asked_bytes = 0
        self.refused = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self) -> None:
        """The server is down: open connections break, new ones are closed at once."""
        self._refuses = True
        self._break()

    def drop(self) -> None:
        """The network swallows everything, in both directions, and says nothing."""
        self._drops = True

    def delay(self) -> None:
        """What is on its way waits until `restore`."""
        self._flowing.clear()

    def cut_answers_after(self, size_bytes: int) -> None:
        """The server gets what it is sent; after so many bytes of its answers the connection breaks."""
        with self._lock:
            self._answers_left = size_bytes

    def restore(self) -> None:
        """All is well again; what was dropped stays lost, so those connections break."""
        if self._drops:
            self._break()
        self._refuses = self._drops = False
        self._answers_left = ANYTHING
        self._flowing.set()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closed alone, it would still be waited at
        self._listener.close()
        self.refuse()
        self._flowing.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self._refuses:
                self.refused += 1
                return
            with socket.create_connection(self._server) as server:
                self._open += [client, server]
                self._forward(client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    if not self._pass_on(source.recv(READ_BYTES), target, is_answer=source is server):
                        return

    def _pass_on(self, content: bytes, target: socket.socket, *, is_answer: bool) -> bool:
        """False where the connection is over."""
        if not content:
            return False
        self._flowing.wait()
        if self._drops:
            return True
        if is_answer:
            content = self._allowed(content)
        else:
            self.asked_bytes += len(content)
        target.sendall(content)
        return not is_answer or self._answers_left > 0  # a request may come in pieces

    def _allowed(self, content: bytes) -> bytes:
        with self._lock:
            allowed = content[: self._answers_left]
            self._answers_left -= len(allowed)
            return allowed

    def _break(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()
