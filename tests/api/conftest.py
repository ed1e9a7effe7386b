"""The API over real HTTP, on each database, with a broker that nobody reads."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from werkzeug.serving import make_server

from app.api.application import create_app
from app.models.database import Database
from config.settings import load_settings

STEP = {"imageSlug": "alpine", "dependsOn": [], "runScript": "true", "cacheDirs": [], "outputPaths": []}


@dataclass(frozen=True)
class Answer:
    """A response: its status and its body, read as JSON where it is that."""

    status: int
    body: Any
    headers: Any


class Client:
    """Speaks to the served API, and to the database behind it where a test plays the orchestrator."""

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self.database = database
        self._pool = urllib3.PoolManager(retries=False, timeout=10.0)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        response = self._pool.request(method, self.url + path, body=body, headers=sent)
        is_json = "json" in response.headers.get("Content-Type", "")
        return Answer(response.status, json.loads(response.data) if is_json else response.data, response.headers)

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        return self.send("POST", path, body)

    def audit_entries(self) -> int:
        total: int = self.get("/api/audit-logs").body["pagination"]["total"]
        return total


@contextmanager
def serve(database_url: str, data_dir: Path, **environ: str) -> Iterator[Client]:
    """The API on that database, with settings of the caller's choice, until the block is left."""
    database = Database(database_url)
    settings = load_settings({"BUILDSERVER_DATA_DIR": str(data_dir), **environ})
    server = make_server("127.0.0.1", 0, create_app(settings, database, lambda: None), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Client(f"http://127.0.0.1:{server.port}", database)
    finally:
        server.shutdown()
        thread.join()
        database.dispose()


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[Client]:
    with serve(database_url, tmp_path) as client:
        yield client


@pytest.fixture
def project(client: Client) -> str:
    client.post("/api/docker-images", {"slug": "alpine", "imageUrl": "alpine:3.20"})
    identifier: str = client.post("/api/projects", {"accountId": "acme", "name": "rocket"}).body["id"]
    return identifier


@pytest.fixture
def diamond(client: Client, project: str) -> str:
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    steps = [{**STEP, "name": name, "dependsOn": depends_on} for name, depends_on in needs.items()]
    identifier: str = client.post(f"/api/projects/{project}/workflows", {"name": "ci", "steps": steps}).body["id"]
    return identifier
