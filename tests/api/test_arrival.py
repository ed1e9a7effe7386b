"""A request is whole with its last byte and not before, in whatever pieces it comes; too large a one is not awaited."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.serving.arrival import MAX_HEAD_BYTES, Arrival
from app.api.serving.framing import MAX_LINE_BYTES

LIMIT_BYTES = 5_000
BEGIN = b"POST /api/projects HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def counted(body: bytes) -> bytes:
    return BEGIN + b"content-length:  %d \r\n\r\n" % len(body) + body


def chunked(chunks: list[bytes]) -> bytes:
    sent = b"".join(b"%X;name=value\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return BEGIN + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\nA-Trailer: 1\r\n\r\n"


bodies = st.binary(max_size=300) | st.lists(st.sampled_from([b"\r\n", b"0\r\n\r\n", b"x"])).map(b"".join)
requests = (
    st.just(GET)
    | bodies.map(counted)
    | st.lists(bodies.filter(bool), max_size=4).map(chunked)
    | st.just(BEGIN + b"Content-Length: many\r\n\r\n")
)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    ends = sorted({cut % len(data) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(ends):
        yield data[start:end]


@given(requests, st.binary(max_size=50), st.lists(st.integers(0, 10_000), max_size=12))
def test_a_request_is_whole_with_its_last_byte(request: bytes, after: bytes, cuts: list[int]) -> None:
    arrival = Arrival(LIMIT_BYTES)
    for piece in pieces(request[:-1], cuts):
        arrival.take(piece)
        assert not arrival.is_whole
    arrival.take(request[-1:] + after)
    assert (arrival.is_whole, arrival.is_cut) == (True, False)
    arrival.begin_reading()
    assert arrival.recv(len(request)) + arrival.rest() == request + after


@pytest.mark.parametrize("length", [LIMIT_BYTES, LIMIT_BYTES + 1])
def test_a_body_is_awaited_unless_it_is_announced_as_larger_than_any(length: int) -> None:
    arrival = Arrival(LIMIT_BYTES)
    arrival.take(BEGIN + b"Content-Length: %d\r\n\r\n" % length)
    assert (arrival.is_cut, arrival.is_whole) == (length > LIMIT_BYTES,) * 2


def test_chunks_are_awaited_until_they_are_larger_than_any_body() -> None:
    arrival = Arrival(LIMIT_BYTES)
    arrival.take(BEGIN + b"Transfer-Encoding: chunked\r\n\r\n" + b"FFFF\r\n" + b"x" * (LIMIT_BYTES - 6))
    assert not arrival.is_whole
    arrival.take(b"x")
    assert (arrival.is_cut, arrival.is_whole) == (True, True)


@pytest.mark.parametrize("size", [b"x", b"", b"-1", b"9" * 16, b"1" * (MAX_LINE_BYTES + 1)], ids=len)
def test_what_is_no_chunk_is_not_awaited(size: bytes) -> None:
    arrival = Arrival(1_000_000)
    arrival.take(BEGIN + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n")
    assert (arrival.is_whole, arrival.is_cut) == (True, False)


def test_a_chunk_s_size_without_an_end_is_not_awaited() -> None:
    arrival = Arrival(1_000_000)
    arrival.take(BEGIN + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * MAX_LINE_BYTES)
    assert not arrival.is_whole
    arrival.take(b"1")
    assert (arrival.is_whole, arrival.is_cut) == (True, False)


def test_a_head_is_awaited_until_it_is_larger_than_any() -> None:
    arrival = Arrival(LIMIT_BYTES)
    arrival.take(b"x" * MAX_HEAD_BYTES)
    assert not arrival.is_whole
    arrival.take(b"x")
    assert (arrival.is_cut, arrival.is_whole) == (True, True)


def test_lines_that_end_without_a_carriage_return_are_not_awaited() -> None:
    arrival = Arrival(LIMIT_BYTES)
    arrival.take(b"GET / HTTP/1.1\n")
    assert (arrival.is_whole, arrival.is_cut) == (True, False)


def test_a_line_end_that_comes_in_two_pieces_is_one() -> None:
    arrival = Arrival(LIMIT_BYTES)
    arrival.take(b"GET / HTTP/1.1\r")
    arrival.take(b"\n")
    assert not arrival.is_whole


@pytest.mark.parametrize(
    ("rest", "awaits"),
    [(b"5\r\n\r\n", True), (b"5\r\n\r\nabcde", False), (b"0\r\n\r\n", False), (b"6000\r\n\r\n", False)],
)
def test_a_client_waits_for_leave_while_a_body_that_is_wanted_is_missing(rest: bytes, awaits: bool) -> None:
    arrival = Arrival(LIMIT_BYTES)
    arrival.take(BEGIN + b"Expect: 100-Continue\r\nContent-Length: " + rest)
    assert arrival.awaits_leave is awaits


def test_what_was_announced_is_what_there_is_to_wait_for() -> None:
    arrival = Arrival(LIMIT_BYTES)
    arrival.take(BEGIN + b"Content-Length: 4000\r\n\r\n")
    assert arrival.announced_bytes == 4_000
