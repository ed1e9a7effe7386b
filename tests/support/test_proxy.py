"""The network between two programs, as a test makes it fail."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.proxy import Proxy
from tests.support.wait import eventually


class Echo:
    """A server that sends back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            while content := connection.recv(65536):
                self.heard += content
                connection.sendall(content)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)  # closed alone, it would still be waited at
    server.listener.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    made = Proxy("127.0.0.1", echo.listener.getsockname()[1])
    yield made
    made.close()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=20)


def is_broken(connection: socket.socket) -> bool:
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def test_bytes_pass_both_ways(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"hello")
        assert connection.recv(10) == b"hello"
    assert proxy.asked_bytes == 5


def test_refusing_breaks_open_connections_and_new_ones_until_all_is_well_again(proxy: Proxy) -> None:
    with connect(proxy) as before:
        before.sendall(b"x")
        before.recv(1)
        proxy.refuse()
        assert is_broken(before)
    with connect(proxy) as during:
        assert is_broken(during)
    proxy.restore()
    with connect(proxy) as after:
        after.sendall(b"back")
        assert after.recv(10) == b"back"


def test_dropped_bytes_never_arrive_and_the_connection_stays_silent(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"first")
        connection.recv(10)
        proxy.drop()
        connection.sendall(b"lost")
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(10)
        connection.setblocking(True)
        proxy.restore()
        assert is_broken(connection)
    assert echo.heard == b"first"


def test_delayed_bytes_wait_at_the_proxy_until_all_is_well_again(
    proxy: Proxy, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_proxy, passed_on = threading.Event(), Proxy._pass_on

    def note(self: Proxy, content: bytes, target: socket.socket, *, is_answer: bool) -> bool:
        at_proxy.set()
        return passed_on(self, content, target, is_answer=is_answer)

    monkeypatch.setattr(Proxy, "_pass_on", note)
    with connect(proxy) as connection:
        proxy.delay()
        connection.sendall(b"late")
        assert at_proxy.wait(20)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(10)
        assert (echo.heard, proxy.asked_bytes) == (b"", 0)
        proxy.restore()
        connection.settimeout(20)
        assert connection.recv(10) == b"late"


def test_an_answer_is_cut_after_so_many_bytes_and_the_server_has_heard_all(proxy: Proxy, echo: Echo) -> None:
    proxy.cut_answers_after(3)
    with connect(proxy) as connection:
        connection.sendall(b"question")
        eventually(lambda: echo.heard == b"question")
        assert connection.recv(10) == b"que"
        assert is_broken(connection)
