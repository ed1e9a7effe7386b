"""The REST client: what it sends, and what it makes of refusals, nonsense and silence."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from app.cli.client import REPEATS, ApiClient
from app.cli.errors import CommandError, Refused, ServerUnreachable, UsageFault
from tests.support.scripted_server import Script


def test_a_server_that_is_not_there_is_one_line_that_says_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ServerUnreachable) as caught:
            ApiClient(url).projects("local")
    expected = f"no Build Server answers at {url} (connection refused); start one with `buildserver up`"
    assert str(caught.value) == expected


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://x", ""])
def test_an_address_that_is_no_url_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UsageFault, match="is no server address"):
        ApiClient(url)


def test_a_name_that_does_not_exist_is_said_to_be_unknown() -> None:
    with pytest.raises(ServerUnreachable, match="its name is unknown"):
        ApiClient("http://buildserver.invalid").projects("local")


def test_a_refusal_shows_the_servers_words_and_every_detail(client: ApiClient, script: Script) -> None:
    details = [{"path": "repoUrl", "code": "bad", "message": "must be a URL"}, {"path": "", "message": "and so on"}]
    script.answer("POST", "/api/projects", {"error": "invalid request", "details": details}, status=400)
    with pytest.raises(Refused) as caught:
        client.create_project("local", "x")
    assert str(caught.value) == "invalid request\n  repoUrl: must be a URL\n  and so on"
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"{}"])
def test_an_error_of_something_else_is_not_taken_for_the_servers(
    client: ApiClient, script: Script, body: bytes
) -> None:
    script.answer("GET", "/api/projects?accountId=local", body, status=502)
    with pytest.raises(Refused, match="answered 502 and is no Build Server"):
        client.projects("local")


NONSENSE = [b"<html>", b"", b"null", b"{}", b"5", b'"text"', b"[5]", b"[{}]", b"[" * 100_000]


@pytest.mark.usefixtures("collector_at_rest")
@pytest.mark.parametrize("body", NONSENSE, ids=range(len(NONSENSE)))
def test_a_list_that_cannot_be_read_is_not_taken_for_the_servers(
    client: ApiClient, script: Script, body: bytes
) -> None:
    script.answer("GET", "/api/projects?accountId=local", body)
    with pytest.raises(Refused, match="is no Build Server, or one of another version"):
        client.projects("local")


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b'{"id": 5}', b'{"id": "b", "steps": 7}'])
def test_a_build_that_cannot_be_read_is_refused_as_json_too(client: ApiClient, script: Script, body: bytes) -> None:
    script.answer("GET", "/api/builds/b", body)
    for ask in (client.build, client.build_json):
        with pytest.raises(Refused, match="is no Build Server, or one of another version"):
            ask("b")


def test_a_detail_that_the_message_repeats_is_shown_once(client: ApiClient, script: Script) -> None:
    body = {"error": "not valid: name: is taken", "details": [{"path": "name", "message": "is taken"}]}
    script.answer("POST", "/api/projects", body, status=400)
    with pytest.raises(Refused) as caught:
        client.create_project("local", "x")
    assert str(caught.value) == "not valid: name: is taken"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "the connection broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what answers does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "the answer broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length:", "the answer broke off"),
        (b"HTTP/1.1 200 OK\r\nDate: Thu", "the answer broke off"),
    ],
)
def test_a_server_that_hangs_up_is_told_in_plain_words(sent: bytes, words: str) -> None:
    with hanging_up(sent) as hangs_up:
        with pytest.raises(ServerUnreachable, match=rf"\({words}\); start one with"):
            ApiClient(hangs_up.url).projects("local")
        assert hangs_up.connections == 1 + REPEATS


def test_a_question_whose_connection_breaks_off_is_asked_again() -> None:
    """A server process that ends takes its connections along, and the next one answers."""
    with hanging_up(b"", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]") as hangs_up:
        assert ApiClient(hangs_up.url).projects("local") == []


def test_what_changes_something_is_never_sent_twice() -> None:
    with hanging_up(b"") as hangs_up:
        with pytest.raises(ServerUnreachable, match="the connection broke off"):
            ApiClient(hangs_up.url).create_project("local", "x")
        assert hangs_up.connections == 1


def test_a_server_that_says_nothing_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To wait three times for it would not do."""
    monkeypatch.setattr("app.cli.client.READ_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(ServerUnreachable, match="no answer in time"):
            ApiClient(f"http://127.0.0.1:{silent.getsockname()[1]}").projects("local")
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()


class HangsUp:
    """A server that closes each connection after a few bytes: those of `sent` in turn, of which the last one stays."""

    def __init__(self, listener: socket.socket, sent: tuple[bytes, ...]) -> None:
        self._listener = listener
        self._sent = sent
        self.connections = 0
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def serve(self) -> None:
        """Until the listener is shut down."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        content = self._sent[min(self.connections, len(self._sent) - 1)]
        self.connections += 1
        connection.recv(65_536)
        connection.sendall(content)


@contextmanager
def hanging_up(*sent: bytes) -> Iterator[HangsUp]:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        server = HangsUp(listener, sent)
        threads.submit(server.serve)
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1:9", "me:secret@127.0.0.1:9", "ftp://me:secret@x"])
def test_credentials_in_the_address_are_not_repeated(url: str) -> None:
    with pytest.raises(CommandError) as caught:
        ApiClient(url).projects("local")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("identifier", ["", "../projects?x=1", "a/b", "a b", "%2e", "\udcff"])
def test_what_cannot_be_an_id_is_refused_and_nothing_is_sent(
    client: ApiClient, script: Script, identifier: str
) -> None:
    with pytest.raises(UsageFault, match="is no id: ids are of letters, digits and hyphens"):
        client.build(identifier)
    assert script.received == []


def test_a_step_without_a_log_has_an_empty_one(client: ApiClient) -> None:
    assert client.step_log("none") == b""
