"""A way to an HTTP server on which some requests are lost before they arrive, and as many answers on their way back."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3


@dataclass
class LossyWay:
    """Of the requests whose path has `losing` in it a `share` is lost, drawn by the seed; all others get through."""

    server_url: str
    losing: str
    share: float
    seed: int
    asked: int = 0
    lost_requests: int = 0
    lost_answers: int = 0
    url: str = ""
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False))

    def __post_init__(self) -> None:
        self._random, self._drawing = random.Random(self.seed), threading.Lock()

    def draw(self, path: str) -> tuple[bool, bool]:
        """Whether the server gets this request, and whether the client gets the answer to it."""
        if self.losing not in path:
            return True, True
        with self._drawing:
            drawn = self._random.random()
            arrives, returns = drawn >= self.share / 2, drawn >= self.share
            self.asked += 1
            self.lost_requests += not arrives
            self.lost_answers += arrives and not returns
        return arrives, returns


class _Carrier(BaseHTTPRequestHandler):
    """Passes each request on, and the answer back. A loss is a connection that ends without an answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer sent in parts would wait for the client to acknowledge the first one
    way: LossyWay

    def do_GET(self) -> None:
        self._carry()

    def do_POST(self) -> None:
        self._carry()

    def do_PUT(self) -> None:
        self._carry()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is its own."""

    def _carry(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        arrives, returns = self.way.draw(self.path)
        if arrives:
            kind = {"Content-Type": self.headers["Content-Type"]} if self.headers["Content-Type"] else {}
            answer = self.way.pool.request(self.command, self.way.server_url + self.path, body=body, headers=kind)
        if not returns:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)


@contextmanager
def lossy_way(server_url: str, losing: str, share: float, seed: int) -> Iterator[LossyWay]:
    """Open, at a loopback port of its own, until the block ends."""
    way = LossyWay(server_url, losing, share, seed)
    carrier = type("Carrier", (_Carrier,), {"way": way})
    with ThreadingHTTPServer(("127.0.0.1", 0), carrier) as entrance:
        thread = threading.Thread(target=entrance.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        way.url = f"http://127.0.0.1:{entrance.server_port}"
        try:
            yield way
        finally:
            entrance.shutdown()
            thread.join()
            way.pool.clear()
