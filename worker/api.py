"""The runner's side of the REST protocol: one method per call, and three ways for a call not to succeed."""

import json
from typing import Any
from urllib.parse import urlencode

import urllib3

TIMEOUT = urllib3.Timeout(connect=3, read=10)
"""Seconds. Every call here is one small transaction on the server."""


class ApiError(Exception):
    """A call did not succeed; the text is for people."""


class Unreachable(ApiError):
    """The server did not answer, or could not: the same call may succeed later."""


class Refused(ApiError):
    """The server knows the step and says no: it is not ours to work on, or not any more."""


class NotFound(ApiError):
    """The server does not know the step."""


class ApiClient:
    """Calls about step runs. Thread-safe; connections are kept and shared."""

    def __init__(self, api_url: str, connections: int = 8) -> None:
        self._base = f"{api_url.rstrip('/')}/api/runner"
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, timeout=TIMEOUT)

    def claim(self, step_id: str, runner: str, attempt: int | None, key: str) -> dict[str, Any]:
        """Take an attempt, with heartbeats promised; repeating it with the same key is safe."""
        body: dict[str, Any] = {"runner": runner, "heartbeats": True, "key": key}
        return self._post(f"{step_id}/claim", body if attempt is None else {**body, "attempt": attempt})

    def program(self, step_id: str, part: str) -> bytes:
        """The bash program of one part of the step."""
        return self._send("GET", f"{step_id}?{urlencode({'part': part})}")

    def heartbeat(self, step_id: str, runner: str, attempt: int) -> dict[str, Any]:
        """Keep the attempt."""
        return self._post(f"{step_id}/heartbeat", {"runner": runner, "attempt": attempt})

    def append_log(self, step_id: str, attempt: int, offset: int, content: bytes) -> int:
        """Send bytes of the log; the answer says where the next ones belong."""
        query = urlencode({"attempt": attempt, "offset": offset})
        answer = self._send("PUT", f"{step_id}/log?{query}", content, "application/octet-stream")
        end: int = json.loads(answer)["offset"]
        return end

    def complete(self, step_id: str, report: dict[str, Any]) -> dict[str, Any]:
        """Say how the attempt ended."""
        return self._post(f"{step_id}/complete", report)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._send("POST", path, json.dumps(body).encode(), "application/json"))
        return answer

    def _send(self, method: str, path: str, body: bytes | None = None, content_type: str | None = None) -> bytes:
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            response = self._pool.request(method, f"{self._base}/{path}", body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"the server at {self._base} does not answer: {error}") from error
        if response.status < 300:
            return response.data
        raise _failure(response.status)(_message(response))


def _failure(status: int) -> type[ApiError]:
    if status == 404:
        return NotFound
    return Unreachable if status >= 500 or status == 429 else Refused


def _message(response: urllib3.BaseHTTPResponse) -> str:
    try:
        return str(json.loads(response.data)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered with status {response.status}"
