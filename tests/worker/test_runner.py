"""The runner against the real API: one attempt from its claim to its report."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.services import planning
from config.settings import Settings
from tests.api.conftest import client
from tests.api.served import Client
from tests.api.world import STEP
from worker.api import Refused
from worker.attempt import Outcome
from worker.runner import Runner

__all__ = ["client"]

NewStep = Callable[..., str]


@pytest.fixture
def runner(client: Client, settings: Settings) -> Iterator[Runner]:
    made = Runner(replace(settings, api_url=client.url, runner_slots=4, heartbeat_s=0.2, kill_grace_s=0.2))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def new_step(client: Client) -> NewStep:
    """Makes a build of one step, planned, and gives the step run's id."""
    client.post("/api/docker-images", {"slug": "alpine", "imageUrl": "alpine:3.20"})
    project = client.post("/api/projects", {"accountId": "acme", "name": "rocket"}).body["id"]

    def make(script: str, **changes: object) -> str:
        steps = [{**STEP, "name": "only", "runScript": script, **changes}]
        workflow = client.post(f"/api/projects/{project}/workflows", {"name": "ci", "steps": steps}).body["id"]
        build = client.post(f"/api/projects/{project}/builds", {"workflowId": workflow}).body["id"]
        client.database.transact(planning.plan, build)
        identifier: str = client.get(f"/api/builds/{build}").body["steps"][0]["id"]
        return identifier

    return make


def test_a_doubled_message_runs_the_step_once(
    client: Client, runner: Runner, new_step: NewStep, tmp_path: Path
) -> None:
    """Both messages reach the same runner, as a re-sent one does when the queue is long."""
    ledger = tmp_path / "ledger"
    step = new_step(f"echo started >> '{ledger}'; sleep 0.5")
    together = threading.Barrier(3)

    def take() -> Outcome | Refused | None:
        together.wait()
        try:
            return runner.run(step, 1)
        except Refused as error:
            return error

    with ThreadPoolExecutor(3) as slots:
        taken = [slot.result() for slot in [slots.submit(take) for _ in range(3)]]
    assert ledger.read_text() == "started\n"
    assert sorted(type(each).__name__ for each in taken) == ["Outcome", "Refused", "Refused"]
    assert client.get(f"/api/steps/{step}").body["status"] == "SUCCESS"


def test_output_outcome_and_exit_status_reach_the_server(client: Client, runner: Runner, new_step: NewStep) -> None:
    step = new_step(r"printf 'a\377\000b'; exit 3")
    assert runner.run(step) == Outcome("exit", 3)
    shown = client.get(f"/api/steps/{step}").body
    assert (shown["status"], shown["reason"], shown["exitCode"]) == ("FAILED", "exit", 3)
    assert client.get(f"/api/steps/{step}/log").body.startswith(b"a\xff\0b")


def test_a_step_over_its_time_limit_is_stopped(client: Client, runner: Runner, new_step: NewStep) -> None:
    step = new_step("trap '' TERM; sleep 1000", timeoutSeconds=1)
    assert runner.run(step) == Outcome("timeout")
    assert client.get(f"/api/steps/{step}").body["reason"] == "timeout"


def test_a_runner_that_stops_hands_its_attempt_back(client: Client, runner: Runner, new_step: NewStep) -> None:
    step = new_step("sleep 1000")
    with ThreadPoolExecutor(1) as slot:
        running = slot.submit(runner.run, step)
        while client.get(f"/api/steps/{step}").body["status"] != "RUNNING":
            assert not running.done()
        runner.stop()
        assert running.result(timeout=10) == Outcome("lost")
    shown = client.get(f"/api/steps/{step}").body
    assert (shown["status"], shown["attempt"]) == ("READY", 2)
