"""The API as it is served: several processes and threads on one database, a stop that cuts nobody off, readiness."""

import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.integration.tasks.system import System
from tests.integration.tasks.test_deaths import locked
from tests.support.program import Program
from tests.support.wait import eventually


def get(system: System, path: str) -> tuple[int, dict[str, Any]]:
    response = urllib3.request("GET", f"http://127.0.0.1:{system.port}{path}", retries=False, timeout=20.0)
    return response.status, response.json()


def claim(system: System, step: str) -> int:
    url = f"http://127.0.0.1:{system.port}/api/runner/{step}/claim"
    body, headers = json.dumps({"runner": "r", "heartbeats": True, "key": "k"}), {"Content-Type": "application/json"}
    return urllib3.request("POST", url, body=body, headers=headers, retries=False, timeout=20.0).status


def processes(api: Program) -> list[str]:
    return [line["event"] for line in api.lines("Booting worker")]


def test_several_processes_share_the_work_and_a_fault_in_none(system: System) -> None:
    api = system.api(BUILDSERVER_API_WORKERS="2", BUILDSERVER_API_THREADS="4")
    eventually(lambda: len(processes(api)) == 2)
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: get(system, "/api/projects?accountId=acme")[0], range(200)))
    assert set(answers) == {200}
    assert [line for line in api.lines() if line["level"] in ("warning", "error")] == []


def test_a_request_that_is_being_answered_is_answered_although_the_server_is_asked_to_end(system: System) -> None:
    """It waits for a row that somebody else holds, so it is surely open when the signal comes."""
    (step,) = system.step_ids(system.build())
    build = system.step(step).build_id
    api = system.api()
    asked = threading.Event()

    def ask() -> int:
        asked.set()
        return claim(system, step)

    with ThreadPoolExecutor(1) as client:
        with locked(system, build):
            answer = client.submit(ask)
            asked.wait()
            eventually(lambda: being_read(system) > 0)
            api.send(signal.SIGTERM)
            api.wait_line("Handling signal: term")
        assert answer.result() == 409
    assert api.process.wait(20) == 0


def being_read(system: System) -> int:
    """Connections that the API has accepted (they have an inode then) and whose request it has taken in."""
    port, read = f":{system.port:04X}", "00000000:00000000"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" and row[4] == read and row[9] != "0" for row in rows)


def test_readiness_names_the_part_that_is_wrong_and_what_to_do(system: System) -> None:
    system.api()
    assert get(system, "/readyz") == (
        200,
        {"status": "ready", "checks": {"database": {"ok": True}, "broker": {"ok": True}}},
    )
    system.redis.config_set("maxmemory", "1")
    status, body = get(system, "/readyz")
    assert (status, body["checks"]["broker"]["ok"]) == (503, False)
    assert body["checks"]["broker"]["message"].startswith("the broker takes no messages")
    system.broker.stop()
    status, body = get(system, "/readyz")
    assert (status, body["status"], body["checks"]["database"]) == (503, "unready", {"ok": True})
    assert body["checks"]["broker"]["message"].startswith("the broker cannot be reached")
    assert "REDIS_URL" in body["checks"]["broker"]["message"]


@pytest.mark.parametrize("role", ["orchestrator", "runner"])
def test_a_worker_s_pulse_stops_with_its_worker(system: System, role: str) -> None:
    def is_well() -> bool:
        return system.start(("tasks.pulse", role)).process.wait() == 0

    assert not is_well()
    worker: Program = getattr(system, role)()
    eventually(is_well)
    worker.stop()
    (system.folder / "run" / f"{role}.pulse").unlink()
    assert not is_well()
