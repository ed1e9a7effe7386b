"""Asks the API as a patient user does: again and again where it is away, and under a key where a repetition matters."""

import json
import time
from typing import Any

import urllib3

PAUSE_S = 0.2
GIVE_UP_S = 120.0


class GaveUp(Exception):
    """The API did not answer for so long that the storm is not to blame."""


class Client:
    """`retries` counts the questions that had to be asked again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=10.0)
        self.retries = 0

    def get(self, path: str) -> Any:
        return json.loads(self.raw(path))

    def raw(self, path: str) -> bytes:
        return self._send("GET", path, None, {})

    def post(self, path: str, body: Any, **headers: str) -> Any:
        sent = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return json.loads(self._send("POST", path, json.dumps(body).encode(), sent))

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        give_up_at = time.monotonic() + GIVE_UP_S
        while time.monotonic() < give_up_at:
            try:
                response = self._pool.request(method, self._url + path, body=body, headers=headers)
            except urllib3.exceptions.HTTPError:
                response = None
            if response is not None and response.status < 500:
                assert response.status < 300, (method, path, response.status, response.data)
                return response.data
            self.retries += 1
            time.sleep(PAUSE_S)
        raise GaveUp(f"{method} {path}")
