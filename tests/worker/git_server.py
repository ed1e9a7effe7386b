"""A real git server over HTTP that asks for a login, in both of git's protocols."""

import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOGIN = "user:s3cret"
EXPECTED = f"Basic {b64encode(LOGIN.encode()).decode()}"


class Dumb(SimpleHTTPRequestHandler):
    """Files, as any web server has them; the repository keeps a list of its branches among them."""

    def parse_request(self) -> bool:
        """Nobody is answered without the login."""
        if not super().parse_request():
            return False
        if self.headers["Authorization"] == EXPECTED:
            return True
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="tests"')
        self.end_headers()
        return False

    def log_message(self, *_: object) -> None:
        """Not into the tests' output."""


class Smart(Dumb):
    """git's own program behind it, which knows branches, commits and shallow fetches."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        done = subprocess.run(["git", "http-backend"], input=body, env=self._environ(), capture_output=True, check=True)
        self.wfile.write(b"HTTP/1.0 200 OK\r\n" + done.stdout)

    def _environ(self) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        given = {
            "GIT_PROJECT_ROOT": self.directory, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers["Content-Type"],
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"],
            "GIT_PROTOCOL": self.headers["Git-Protocol"], "PATH": os.environ["PATH"],
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}


@contextmanager
def serving(folder: Path, kind: type[Dumb]) -> Iterator[str]:
    """Every repository below the folder, at the address (host and port) that this gives."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
