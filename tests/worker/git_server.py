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
from typing import ClassVar
from urllib.parse import quote
from uuid import uuid4

PASSWORD = f"s3cret$@:{uuid4().hex}"
LOGIN = f"user:{quote(PASSWORD)}"
"""As it stands in a URL; like no other on this machine."""
TOKEN = f"s3cret{uuid4().hex}"
EXPECTED = [f"Basic {b64encode(login.encode()).decode()}" for login in (f"user:{PASSWORD}", f"{TOKEN}:")]


class Dumb(SimpleHTTPRequestHandler):
    """Files, as any web server has them; the repository keeps a list of its branches among them."""

    presented: ClassVar[list[str]] = []

    def parse_request(self) -> bool:
        """Nobody is answered without the login."""
        if not super().parse_request():
            return False
        self.presented.extend(self.headers.get_all("Authorization", []))
        if self.headers["Authorization"] in EXPECTED:
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


class Watching(Smart):
    """Looks, while git waits for its answer, whether any process of this machine has the login among its arguments."""

    shown: ClassVar[list[bytes]] = []

    def parse_request(self) -> bool:
        commands = [command_of(process) for process in Path("/proc").glob("[0-9]*")]
        secrets = [secret.encode() for secret in (PASSWORD, quote(PASSWORD), TOKEN, *EXPECTED)]
        self.shown.extend(command for command in commands if any(secret in command for secret in secrets))
        return super().parse_request()


class Elsewhere(Dumb):
    """Sends everybody to the host that is named in its folder, and asks nobody for a login."""

    def parse_request(self) -> bool:
        if not SimpleHTTPRequestHandler.parse_request(self):
            return False
        self.send_response(302)
        self.send_header("Location", f"http://{Path(self.directory, 'host').read_text()}{self.path}")
        self.end_headers()
        return False


def command_of(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


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
