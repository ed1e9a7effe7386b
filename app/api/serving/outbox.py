"""An answer on its way out: sent as far as the client takes it, and kept for the rest."""

import socket


class Outbox:
    """What gunicorn writes an answer to in place of the socket. It never waits."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left = bytearray()

    @property
    def size_bytes(self) -> int:
        """How much the client has still to take."""
        return len(self._left)

    def sendall(self, data: bytes) -> None:
        self._left += data
        self.flush()

    def flush(self) -> None:
        """Send what can be sent now. OSError where the client is gone."""
        while self._left:
            try:
                sent = self._connection.send(self._left)
            except BlockingIOError:
                return
            del self._left[:sent]
