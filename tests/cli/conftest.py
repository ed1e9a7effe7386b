"""A settings value, and an HTTP server that gives the answers a test wrote down."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.cli.client import ApiClient
from config.settings import Settings, load_settings


@dataclass(frozen=True)
class Received:
    """One request as it came in; `body` is its JSON."""

    method: str
    path: str
    body: Any
    idempotency_key: str | None


@dataclass
class Script:
    """The answers of a server: by method and path, a list that is used up to its last one, which stays."""

    answers: dict[tuple[str, str], list[tuple[int, bytes]]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def answer(self, method: str, path: str, body: object, status: int = 200) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.setdefault((method, path), []).append((status, content))

    def next_answer(self, method: str, path: str) -> tuple[int, bytes]:
        planned = self.answers.get((method, path))
        if not planned:
            return 404, b'{"error": "not found"}'
        return planned.pop(0) if len(planned) > 1 else planned[0]

    def sent(self, method: str, path: str) -> list[Any]:
        return [request.body for request in self.received if (request.method, request.path) == (method, path)]


class _Answerer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is its own."""

    def _answer(self, method: str) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(sent) if sent else None
        self.script.received.append(Received(method, self.path, body, self.headers.get("Idempotency-Key")))
        status, content = self.script.next_answer(method, self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def settings() -> Settings:
    return load_settings({"HOME": "/home/nobody"})


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def client(script: Script) -> Iterator[ApiClient]:
    """A client of a server that follows the script."""
    answerer = type("Answerer", (_Answerer,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answerer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield ApiClient(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()
