"""What a runner makes of answers that no Build Server gives: it tries again later, as with no answer."""

from collections.abc import Callable

import pytest

from tests.support.scripted_server import Script, scripted_server
from worker.api import ApiClient, ApiError, Failing, NotFound, Refused, Unreachable

Send = Callable[[ApiClient], object]
CALLS: dict[str, tuple[str, str, Send]] = {
    "claim": ("POST", "x/claim", lambda client: client.claim("x", "runner", None, "key")),
    "heartbeat": ("POST", "x/heartbeat", lambda client: client.heartbeat("x", "runner", 1, False, 5)),
    "log": ("PUT", "x/log?attempt=1&offset=0", lambda client: client.append_log("x", 1, 0, b"text")),
    "report": ("POST", "x/complete", lambda client: client.complete("x", {"attempt": 1})),
}
NONSENSE = {
    "a page": b"<html>",
    "nothing": b"",
    "no text": b"\xff",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "other fields' types": b'{"leaseSeconds": [], "attempt": {}, "offset": null, "success": "no"}',
    "numbers without end": b'{"leaseSeconds": 1, "timeoutSeconds": 1, "attempt": 1e999, "offset": 1e999}',
    "numbers that are none": b'{"leaseSeconds": NaN, "timeoutSeconds": NaN, "attempt": NaN, "offset": NaN}',
    "brackets": b"[" * 100_000,
}


@pytest.mark.usefixtures("collector_at_rest")
@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize(("method", "path", "send"), CALLS.values(), ids=CALLS)
def test_an_answer_that_cannot_be_read_counts_as_none(method: str, path: str, send: Send, body: bytes) -> None:
    script = Script()
    script.answer(method, f"/api/runner/{path}", body)
    with scripted_server(script) as url, pytest.raises(Unreachable, match=r"no build server|makes no sense"):
        send(ApiClient(url))
    assert len(script.received) == 1


NOES = [(404, NotFound), (400, Refused), (409, Refused), (500, Failing)]
STATUSES = [*NOES, *((other, Unreachable) for other in (302, 408, 429, 503))]


def answered(status: int, body: object) -> ApiError:
    """What a question ends in that is answered so."""
    script = Script()
    script.answer("GET", "/api/runner/x?part=run", body, status)
    with scripted_server(script) as url, pytest.raises(ApiError) as caught:
        ApiClient(url).program("x", "run")
    return caught.value


@pytest.mark.parametrize(("status", "error"), STATUSES)
def test_a_no_in_the_server_s_own_words_is_one(status: int, error: type[ApiError]) -> None:
    given = answered(status, {"error": "not yours"})
    assert (type(given), str(given)) == (error, "not yours")


@pytest.mark.usefixtures("collector_at_rest")
@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("status", [status for status, _ in STATUSES])
def test_a_no_of_something_that_stands_before_the_server_is_none(status: int, body: bytes) -> None:
    given = answered(status, body)
    assert (type(given), str(given).endswith(f"its status was {status}")) == (Unreachable, True)
