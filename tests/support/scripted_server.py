"""An HTTP server that gives the answers a test wrote down."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came in; `body` is its JSON, or its bytes where they are none."""

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

    def do_PUT(self) -> None:
        self._answer("PUT")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is its own."""

    def _answer(self, method: str) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(sent) if self.headers.get("Content-Type") == "application/json" else sent or None
        self.script.received.append(Received(method, self.path, body, self.headers.get("Idempotency-Key")))
        status, content = self.script.next_answer(method, self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def scripted_server(script: Script) -> Iterator[str]:
    """Its address, for as long as it answers."""
    answerer = type("Answerer", (_Answerer,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), answerer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
