"""The real API, a network to it that can fail, and a runner at its other end; or an executor alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.models.database import Database
from app.services import leases, planning
from config.settings import Settings
from tests.api.served import Client, served
from tests.api.world import STEP
from tests.support.proxy import Proxy
from tests.worker.execution import Execution
from worker.process_executor import ProcessExecutor
from worker.runner import Runner
from worker.zygote_client import ZygoteClient

LEASE_S = 4.0
SERVER_SETTINGS = {
    "BUILDSERVER_ALLOW_FILE_REPOS": "true",
    "BUILDSERVER_HEARTBEAT_S": "1",
    "BUILDSERVER_LOG_LIMIT_BYTES": "200 MiB",
    "BUILDSERVER_MAX_BODY_BYTES": "8 MiB",
}
LONG_LEASE = pytest.mark.parametrize("lease_s", [600.0], ids=["long lease"])
"""For what must not be the clock's doing."""
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what the runner does: the API's own tests show that both databases answer alike."""


@dataclass(frozen=True)
class Server:
    """The API, and what a test asks it about a step."""

    client: Client
    project: str

    @property
    def database(self) -> Database:
        return self.client.database

    def new_step(self, script: str = "true", build: dict[str, Any] | None = None, **changes: Any) -> str:
        """The id of a READY step run, the only one of its build."""
        return self.new_steps([{"runScript": script, **changes}], build)[0]

    def new_steps(self, steps: list[dict[str, Any]], build: dict[str, Any] | None = None) -> list[str]:
        """The ids of the step runs of one build, planned."""
        named = [{**STEP, "name": f"step {number}" if number else "only", **step} for number, step in enumerate(steps)]
        body = {"workflowId": self._created("workflows", {"name": "ci", "steps": named}), **(build or {})}
        build_id = self._created("builds", body)
        self.database.transact(planning.plan, build_id)
        return [step["id"] for step in self.client.get(f"/api/builds/{build_id}").body["steps"]]

    def _created(self, what: str, body: dict[str, Any]) -> str:
        return self.client.created(f"/api/projects/{self.project}/{what}", body)

    def step(self, step_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.client.get(f"/api/steps/{step_id}").body
        return shown

    def status(self, step_id: str) -> str:
        return str(self.step(step_id)["status"])

    def attempt(self, step_id: str) -> tuple[str, int]:
        """The step run's status, and the number of its current attempt."""
        shown = self.step(step_id)
        return shown["status"], shown["attempt"]

    def handed_back(self, step_id: str) -> list[bool]:
        """For each attempt, whether it does not count."""
        return [attempt["handedBack"] for attempt in self.client.get(f"/api/steps/{step_id}/attempts").body]

    def actions(self, action: str) -> int:
        """How many audit entries there are of one action."""
        entries = self.client.get("/api/audit-logs?limit=1000").body["auditLogs"]
        return sum(entry["action"] == action for entry in entries)

    def log(self, step_id: str, attempt: int | None = None) -> bytes:
        """Of an attempt, by default the newest that was claimed."""
        query = f"?attempt={attempt}" if attempt else ""
        content: bytes = self.client.get(f"/api/steps/{step_id}/log{query}").body
        return content

    def revoke(self, step_id: str) -> None:
        """End the running attempt, as a sweep does with one that it thinks lost."""
        number = self.step(step_id)["attempt"]
        self.database.transact(_expire_now, step_id, number)


def _expire_now(session: Any, step_id: str, number: int) -> None:
    leases.extend(session, step_id, "by-test", number, -60)
    leases.expire(session, step_id, number, LEASE_S)


@pytest.fixture
def lease_s() -> float:
    return LEASE_S


@pytest.fixture
def server(database_url: str, tmp_path: Path, lease_s: float) -> Iterator[Server]:
    with served(database_url, tmp_path, BUILDSERVER_LEASE_S=str(lease_s), **SERVER_SETTINGS) as client:
        client.post("/api/docker-images", {"slug": "alpine", "imageUrl": "alpine:3.20"})
        yield Server(client, client.post("/api/projects", {"accountId": "acme", "name": "rocket"}).body["id"])


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    address = urlsplit(server.client.url)
    made = Proxy(str(address.hostname), int(address.port or 0))
    yield made
    made.close()


@pytest.fixture
def runner_settings(proxy: Proxy, settings: Settings) -> Settings:
    """The runner reaches the API through the proxy alone."""
    return replace(
        settings, api_url=proxy.url, runner_name="by-test", runner_slots=4, heartbeat_s=0.2, kill_grace_s=0.2
    )


NewRunner = Callable[..., Runner]


@pytest.fixture
def new_runner(runner_settings: Settings) -> Iterator[NewRunner]:
    """Starts runners, one by one, on one work folder; all are stopped afterwards."""
    started: list[Runner] = []

    def start(**changes: Any) -> Runner:
        started.append(Runner(replace(runner_settings, **changes)))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()
        each.close()


@pytest.fixture
def runner(new_runner: NewRunner) -> Runner:
    return new_runner()


@pytest.fixture
def executor() -> Iterator[ProcessExecutor]:
    """Whatever a test does to it, it is that test's alone."""
    zygote = ZygoteClient()
    yield ProcessExecutor(zygote)
    zygote.close()


@pytest.fixture
def execution(executor: ProcessExecutor, tmp_path: Path) -> Execution:
    return Execution(executor, tmp_path)
