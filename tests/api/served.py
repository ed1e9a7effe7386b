"""The API served over real HTTP, and a client that speaks to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from werkzeug.serving import make_server

from app.api.application import create_app
from app.api.presence import Presence
from app.models.database import Database
from app.wsgi import REQUEST_PATIENCE_S
from config.settings import load_settings


@dataclass(frozen=True)
class Answer:
    """A response: its status and its body, read as JSON where it is that."""

    status: int
    body: Any
    headers: Any


class Client:
    """Speaks to the served API, and to the database behind it where a test plays the orchestrator."""

    def __init__(self, url: str, database: Database, presence: Presence) -> None:
        self.url = url
        self.database = database
        self.presence = presence
        self._pool = urllib3.PoolManager(maxsize=16, retries=False, timeout=20.0)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Bytes are sent as they are, anything else as JSON. `Content_Type="…"` sets that header."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        response = self._pool.request(method, self.url + path, body=body, headers=sent, redirect=False)
        is_json = response.data and "json" in response.headers.get("Content-Type", "")
        return Answer(response.status, json.loads(response.data) if is_json else response.data, response.headers)

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        return self.send("POST", path, body)

    def created(self, path: str, body: Any) -> str:
        """The id of what the request creates."""
        answer = self.post(path, body)
        assert answer.status == 201, answer
        identifier: str = answer.body["id"]
        return identifier

    def audit_entries(self) -> int:
        total: int = self.get("/api/audit-logs").body["pagination"]["total"]
        return total


@contextmanager
def served(database_url: str, data_dir: Path, broker_problem: str | None = None, **variables: str) -> Iterator[Client]:
    """The API on a free port, with its settings from `variables`, until the block ends. Its presence is not noted."""
    database = Database(database_url, patience_s=REQUEST_PATIENCE_S)
    settings = load_settings({"BUILDSERVER_DATA_DIR": str(data_dir), **variables})
    presence = Presence(database, settings.lease_s)
    app = create_app(settings, database, lambda: broker_problem, presence.leases_stand, presence.database_is_silent)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Client(f"http://127.0.0.1:{server.port}", database, presence)
    finally:
        presence.stop()
        server.shutdown()
        thread.join()
        server.server_close()
        database.dispose()
