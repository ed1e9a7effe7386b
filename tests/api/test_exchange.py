"""A request is answered piece by piece, by whichever thread has time, and the application does not notice."""

import contextvars
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from gunicorn.config import Config

from app.api.serving.arrival import Arrival
from app.api.serving.exchange import Application, Exchange
from app.api.serving.outbox import Outbox

ENDS = (("127.0.0.1", 1), ("127.0.0.1", 2))
LARGE = b"x" * 4 * 1024**2
"""More than the kernel takes for a client that does not read."""
who = contextvars.ContextVar[str]("who")

Begin = Callable[[Application], tuple[Exchange, Outbox]]


@pytest.fixture
def begin() -> Iterator[tuple[socket.socket, Begin]]:
    """The client's end of a connection, and what begins to answer a request on it."""
    mine, theirs = socket.socketpair()
    mine.settimeout(20)
    theirs.setblocking(False)

    def make(application: Application) -> tuple[Exchange, Outbox]:
        arrival, outbox = Arrival(1_000), Outbox(theirs)
        arrival.take(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return Exchange(application, arrival, outbox, ENDS, Config(), is_last=False), outbox

    with closing(mine), closing(theirs):
        yield mine, make


def read_all(client: socket.socket, exchange: Exchange, outbox: Outbox) -> bytes:
    """Take the answer, and have it gone on with by another thread whenever all so far was taken."""
    taken = bytearray()
    is_over = False
    while outbox.size_bytes or not is_over:
        if outbox.size_bytes:
            taken += client.recv(1024**2)
            outbox.flush()
        else:
            with ThreadPoolExecutor(1) as thread:
                is_over = thread.submit(exchange.advance).result()
    client.setblocking(False)
    return bytes(taken + client.recv(1024**2))


def test_an_application_s_context_is_the_same_in_whatever_thread_it_goes_on(begin: tuple[socket.socket, Begin]) -> None:
    client, make = begin

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", str(2 * len(LARGE) + 3))])
        token = who.set("me!")
        yield LARGE
        yield LARGE
        yield who.get().encode()
        who.reset(token)

    answer = read_all(client, *make(application))
    assert answer.partition(b"\r\n\r\n")[2] == LARGE + LARGE + b"me!"


def test_an_application_is_told_when_its_client_is_gone(begin: tuple[socket.socket, Begin]) -> None:
    ended: list[str] = []

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            yield LARGE
            yield LARGE
        finally:
            ended.append("closed")

    exchange, outbox = begin[1](application)
    assert (exchange.advance(), outbox.size_bytes > 0, ended) == (False, True, [])
    exchange.abandon()
    assert ended == ["closed"]


def test_what_an_application_lets_escape_is_told_in_the_error_shape(begin: tuple[socket.socket, Begin]) -> None:
    client, make = begin

    def application(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterator[bytes]:
        raise ValueError("secret")

    exchange, _ = make(application)
    with pytest.raises(ValueError, match="secret"):
        exchange.advance()
    head, _, body = client.recv(4_096).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert json.loads(body) == {"error": "internal server error; the server's log has it"}
    assert exchange.rest is None


def test_an_answer_that_broke_off_in_the_middle_is_not_continued_by_another(begin: tuple[socket.socket, Begin]) -> None:
    client, make = begin

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        yield b"half"
        raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        make(application)[0].advance()
    assert client.recv(4_096).endswith(b"\r\n\r\nhalf")
