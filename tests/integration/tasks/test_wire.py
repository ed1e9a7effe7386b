"""What goes over the wire between any client and the API as it is served: refusals in the Error shape, HTTP's ways."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.docs import ASSETS
from tests.integration.tasks.system import System
from tests.integration.tasks.wire import Answer, ask, wire
from tests.support.redis_server import RedisServer

MIB = 1024**2
HEAD = b"POST /api/projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"accountId": "acme", "name": "rocket"}'
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
NOT_HTTP = "the request is not valid HTTP: "
REFUSED = {
    "a first line too long": (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 431, "header is too large"),
    "a first line without end": (b"GET /" + b"x" * 70_000, 431, "header is too large"),
    "a header field too long": (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431, "header is too large"),
    "too many header fields": (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 6_000 + b"\r\n", 431, "header is too large"),
    "a header without end": (b"GET / HTTP/1.1\r\n" + b"X: 1234567890\r\n" * 5_000, 431, "header is too large"),
    "no HTTP at all": (b"hello\r\n\r\n", 400, NOT_HTTP + "Start line is invalid"),
    "no version": (b"GET /\r\n\r\n", 400, NOT_HTTP + "Its version"),
    "a method that is none": (b"get / HTTP/1.1\r\n\r\n", 400, NOT_HTTP + "Malformed HTTP method"),
    "a version of later": (b"GET / HTTP/3.0\r\n\r\n", 400, NOT_HTTP + "Its version"),
    "a target that is none": (b"GET http://[ HTTP/1.1\r\n\r\n", 400, NOT_HTTP + "Its target or its length"),
    "a header field without a name": (b"GET / HTTP/1.1\r\n: 1\r\n\r\n", 400, NOT_HTTP + "Invalid header"),
    "a header field with a space": (b"GET / HTTP/1.1\r\nX Y: 1\r\n\r\n", 400, NOT_HTTP + "Invalid header"),
    "a folded header field": (b"GET / HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n", 400, NOT_HTTP + "A header field is folded"),
    "a first line with LF alone": (b"GET / HTTP/1.1\nX: 1\r\n\r\n", 400, NOT_HTTP + "Bare CR or LF"),
    "a header line with LF alone": (b"GET / HTTP/1.1\r\nX: 1\nY: 1\r\n\r\n", 400, NOT_HTTP + "Bare CR or LF"),
    "two lengths": (HEAD + b"Content-Length: 4\r\nContent-Length: 3\r\n\r\n{}", 400, NOT_HTTP),
    "the same length twice": (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, NOT_HTTP),
    "a length that is none": (HEAD + b"Content-Length: many\r\n\r\n", 400, NOT_HTTP),
    "a length with a sign": (HEAD + b"Content-Length: +2\r\n\r\n{}", 400, NOT_HTTP),
    "a length beyond reading": (HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400, NOT_HTTP),
    "a length and chunks": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NOT_HTTP),
    "chunks in HTTP/1.0": (
        HEAD.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        NOT_HTTP,
    ),
    "another coding": (HEAD + b"Transfer-Encoding: zip\r\n\r\n!\r\n", 501, "no transfer coding but 'chunked'"),
    "a chunk without a size": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n{}\r\n",
        400,
        NOT_HTTP + "Invalid chunk size",
    ),
    "a chunk longer than it says": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        400,
        NOT_HTTP + "Chunk not properly terminated",
    ),
    "a chunk's size without end": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 9_000,
        400,
        NOT_HTTP + "A line between its chunks",
    ),
    "trailers without end": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: 1\r\n" * 2_000,
        400,
        NOT_HTTP + "A line between its chunks",
    ),
    "a body larger than any": (HEAD + b"Content-Length: 99999999\r\n\r\n{", 413, "body is larger than any"),
    "chunks larger than any": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n" + b"x" * 9 * MIB,
        413,
        "body is larger than any",
    ),
    "one that nobody should be told to send": (
        HEAD + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
        413,
        "body is larger than any",
    ),
    "an expectation": (HEAD + b"Expect: miracles\r\nContent-Length: 0\r\n\r\n", 417, "no expectation but"),
}


@pytest.fixture(scope="module")
def server(
    sqlite_template: Path, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """The API, served for all tests here; what they write is in nobody's way."""
    folder = tmp_path_factory.mktemp("wire")
    database = folder / "buildserver.db"
    database.write_bytes(sqlite_template.read_bytes())
    system = System(f"sqlite:///{database}", redis_server, folder)
    system.api(BUILDSERVER_API_THREADS="2")
    yield system
    system.close()


def created(answer: Answer) -> bool:
    return answer.status == 201 and answer.body["name"] == "rocket"


@pytest.mark.parametrize(("sent", "status", "why"), REFUSED.values(), ids=REFUSED)
def test_what_no_application_can_be_asked_is_refused_in_the_error_shape(
    server: System, sent: bytes, status: int, why: str
) -> None:
    before = server.audit_entries()
    with wire(server.port) as line:
        line.send(sent)
        answer = line.answer()
        assert line.has_ended()
    assert (answer.status, set(answer.body), answer.headers["Content-Type"]) == (status, {"error"}, "application/json")
    assert why in answer.body["error"]
    assert server.audit_entries() == before


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nX: 1\nX: sesame\r\n\r\n", b"sesame / HTTP/1.1\r\n\r\n"])
def test_a_refusal_repeats_nothing_of_the_request(server: System, sent: bytes) -> None:
    answer = ask(server.port, sent)
    assert (answer.status, b"sesame" in answer.content) == (400, False)


def test_a_client_that_has_still_much_to_send_sees_why_it_is_refused(server: System) -> None:
    """Even if it looks only after it has sent what the kernel takes."""
    with wire(server.port) as line:
        line.send(HEAD + b"Content-Length: 99999999\r\n\r\n")
        for _ in range(16):
            line.send(b"x" * MIB)
        assert line.answer().status == 413


def test_empty_lines_before_a_request_are_passed_over(server: System) -> None:
    assert ask(server.port, b"\r\n\r\n" + GET).body == {"status": "ok"}


def test_a_body_is_not_asked_for_where_there_is_none(server: System) -> None:
    answer = ask(server.port, GET.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert answer.body == {"status": "ok"}


def test_requests_follow_one_another_on_a_connection_also_when_they_come_at_once(server: System) -> None:
    post = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with wire(server.port) as line:
        line.send(GET + post + GET[:10])
        assert (line.answer().body, created(line.answer())) == ({"status": "ok"}, True)
        line.send(GET[10:])
        assert line.answer().body == {"status": "ok"}


def test_a_body_may_come_in_chunks(server: System) -> None:
    chunks = b"%x\r\n%s\r\n3;last\r\n%s\r\n0\r\nChecksum: 1\r\n\r\n" % (len(BODY) - 3, BODY[:-3], BODY[-3:])
    with wire(server.port) as line:
        line.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + GET)
        assert (created(line.answer()), line.answer().body) == (True, {"status": "ok"})


def test_a_client_that_asks_whether_to_go_on_is_told_once(server: System) -> None:
    with wire(server.port) as line:
        line.send(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        assert line.answer().status == 100
        line.send(BODY)
        assert created(line.answer())


@pytest.mark.parametrize("size", [2 * MIB, 8 * MIB])
def test_a_body_larger_than_its_operation_takes_is_refused_and_the_connection_goes_on(
    server: System, size: int
) -> None:
    with wire(server.port) as line:
        line.send(HEAD + b"Content-Length: %d\r\n\r\n" % size + b" " * size + GET)
        assert (line.answer().status, line.answer().body) == (413, {"status": "ok"})


def test_an_answer_without_a_body_is_followed_by_the_next(server: System) -> None:
    with wire(server.port) as line:
        line.send(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
        assert (line.answer(has_body=False).status, line.answer().body) == (200, {"status": "ok"})


@pytest.mark.parametrize("head", [b"GET /healthz HTTP/1.0\r\n", b"GET /healthz HTTP/1.1\r\nConnection: close\r\n"])
def test_a_connection_that_the_client_wants_closed_is_closed(server: System, head: bytes) -> None:
    with wire(server.port) as line:
        line.send(head + b"Host: x\r\n\r\n")
        assert (line.answer().status, line.has_ended()) == (200, True)


def test_a_file_is_whole(server: System) -> None:
    answer = ask(server.port, b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(answer.content) == int(answer.headers["Content-Length"]) > MIB
    assert answer.content == (ASSETS / "swagger-ui-bundle.js").read_bytes()
