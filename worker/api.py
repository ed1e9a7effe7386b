"""The runner's side of the REST protocol: one method per call, and three ways for a call not to succeed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

from worker.json_object import json_object

TIMEOUT = urllib3.Timeout(connect=3, read=10)
"""Seconds. Every call here is one small transaction on the server."""
CLAIM_TIMEOUT = urllib3.Timeout(connect=3, read=5)
"""Where no answer comes, the message waits for this before another runner gets it."""
HASTY_TIMEOUT = urllib3.Timeout(connect=1, read=2)
"""Of a runner that was asked to end: what it says is on its disk as well."""
TRY_AGAIN = (408, 429)  # request timeout, too many requests


class ApiError(Exception):
    """A call did not succeed; the text is for people."""


class Unreachable(ApiError):
    """The server did not answer, or could not: the same call may succeed later."""


class Failing(Unreachable):
    """The server was there, and failed at this call: about something else it may well be right."""


class Refused(ApiError):
    """The server knows the step and says no: it is not ours to work on, or not any more."""


class NotFound(ApiError):
    """The server does not know the step."""


@dataclass(frozen=True)
class Claim:
    """An attempt that is ours: until when it may go on unheard of, and how long it may take."""

    step_id: str
    build_id: str
    attempt: int
    lease_s: float
    timeout_s: float


class ApiClient:
    """Calls about step runs. Thread-safe; connections are kept and shared."""

    def __init__(self, api_url: str, connections: int = 8) -> None:
        self._base = f"{api_url.rstrip('/')}/api/runner"
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, timeout=TIMEOUT)

    def claim(self, step_id: str, runner: str, attempt: int | None, key: str) -> Claim:
        """Take an attempt, with heartbeats promised; repeating it with the same key is safe."""
        body: dict[str, Any] = {"runner": runner, "heartbeats": True, "key": key}
        asked = body if attempt is None else {**body, "attempt": attempt}
        answer = self._post(f"{step_id}/claim", asked, CLAIM_TIMEOUT)
        with _as_expected(answer):
            times = float(answer["leaseSeconds"]), float(answer["timeoutSeconds"])
            return Claim(step_id, str(answer["buildId"]), int(answer["attempt"]), *times)

    def program(self, step_id: str, part: str) -> bytes:
        """The bash program of one part of the step."""
        return self._send("GET", f"{step_id}?{urlencode({'part': part})}")

    def heartbeat(self, step_id: str, runner: str, attempt: int, ended: bool, patience_s: float) -> float | None:
        """Keep the attempt; how many seconds the lease lasts now, None where the server wants the step to stop.

        `ended`: the step has, and the rest of its log is on the way, or its report. `patience_s`: a heartbeat that
        hangs must leave time for others before the lease is over.
        """
        body = {"runner": runner, "attempt": attempt, "ended": ended}
        answer = self._post(f"{step_id}/heartbeat", body, urllib3.Timeout(patience_s))
        with _as_expected(answer):
            return None if answer["cancel"] else float(answer["leaseSeconds"])

    def append_log(self, step_id: str, attempt: int, offset: int, content: bytes) -> int:
        """Send bytes of the log; the answer says where the next ones belong."""
        query = urlencode({"attempt": attempt, "offset": offset})
        answer = _object(self._send("PUT", f"{step_id}/log?{query}", content, "application/octet-stream"))
        with _as_expected(answer):
            return int(answer["offset"])

    def complete(self, step_id: str, report: dict[str, Any], is_hasty: bool = False) -> None:
        """Say how the attempt ended. `is_hasty`: there is no time to wait long for the answer."""
        answer = self._post(f"{step_id}/complete", report, HASTY_TIMEOUT if is_hasty else TIMEOUT)
        with _as_expected(answer):
            assert answer["success"] is True

    def _post(self, path: str, body: dict[str, Any], timeout: urllib3.Timeout = TIMEOUT) -> dict[str, Any]:
        return _object(self._send("POST", path, json.dumps(body).encode(), "application/json", timeout))

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str | None = None,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> bytes:
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            response = self._pool.request(method, f"{self._base}/{path}", body=body, headers=headers, timeout=timeout)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"the server at {self._base} does not answer: {error}") from error
        if not _says_where_it_ends(response):
            raise Unreachable(f"the answer of {self._base} does not say where it ends, so it may be cut off")
        if 200 <= response.status < 300:
            return response.data
        raise _failure(response)


def _object(answer: bytes) -> dict[str, Any]:
    """An answer that is no JSON object comes from something in between, a proxy or a portal."""
    try:
        return json_object(answer)
    except ValueError as error:
        raise Unreachable("what answered is no build server") from error


@contextmanager
def _as_expected(answer: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise Unreachable(f"the server's answer makes no sense here: {answer}") from error


def _says_where_it_ends(response: urllib3.BaseHTTPResponse) -> bool:
    """One that breaks off in its head looks like an empty one: for a program, like a step with nothing to do."""
    headers = response.headers
    return headers.get("Content-Length", "").isdigit() or headers.get("Transfer-Encoding", "").lower() == "chunked"


def _failure(response: urllib3.BaseHTTPResponse) -> ApiError:
    """Only a 4xx in the server's own words is its no: a proxy says 404 or 403, too, while there is no server behind it.

    A redirect leads to somebody else, and what is busy may say yes later.
    """
    try:
        message = str(json_object(response.data)["error"])
    except (ValueError, KeyError):
        return Unreachable(f"what answered is no build server, and its status was {response.status}")
    if response.status == 500:
        return Failing(message)
    if not 400 <= response.status < 500 or response.status in TRY_AGAIN:
        return Unreachable(message)
    return NotFound(message) if response.status == 404 else Refused(message)
