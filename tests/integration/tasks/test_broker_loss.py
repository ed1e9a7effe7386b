"""A broker that stops, freezes, forgets or comes back empty: requests are answered, and no build is lost."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from tasks.consumer import RECONNECT_MAX_S
from tests.integration.tasks.system import STEP, System
from tests.integration.tasks.test_deaths import locked, swept
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.wait import eventually

OFTEN = {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2", "BUILDSERVER_CLAIM_DEADLINE_S": "0.5"}

Loss = Callable[[RedisServer], None]


def post(system: System, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = urllib3.request(
        "POST", f"http://127.0.0.1:{system.port}/api/{path}", body=json.dumps(body), retries=False, timeout=10.0,
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert response.status == 201, response.data
    answer: dict[str, Any] = response.json()
    return answer


def workflow(system: System) -> tuple[str, str]:
    """A project and its workflow of one step, posted."""
    post(system, "docker-images", {"slug": "alpine", "imageUrl": "alpine:3.20"})
    project = post(system, "projects", {"accountId": "acme", "name": "rocket"})["id"]
    return project, post(system, f"projects/{project}/workflows", {"name": "ci", "steps": [STEP]})["id"]


def warnings(api: Program) -> int:
    return len(api.lines("broker unreachable"))


@pytest.mark.parametrize("lose", [RedisServer.stop, RedisServer.freeze], ids=["refuses", "is frozen"])
def test_builds_are_accepted_while_the_broker_is_away_and_planned_once_it_is_back(system: System, lose: Loss) -> None:
    api = system.api()
    project, workflow_id = workflow(system)
    lose(system.broker)
    posted = [post(system, f"projects/{project}/builds", {"workflowId": workflow_id})["id"] for _ in range(3)]
    eventually(lambda: warnings(api) == 1, describe=lambda: api.text)
    bring_back(system, lose)
    orchestrator = system.orchestrator(**OFTEN)
    eventually(
        lambda: all(system.statuses(build)[1] == "READY" for build in posted), describe=lambda: orchestrator.text
    )
    assert warnings(api) == 1


def test_many_requests_are_answered_by_few_threads_while_the_broker_is_frozen(system: System) -> None:
    """One that waited for the broker would keep its thread from the others until their clients give up."""
    api = system.api(BUILDSERVER_API_THREADS="4")
    project, workflow_id = workflow(system)
    system.broker.freeze()
    with ThreadPoolExecutor(16) as clients:
        path, body = f"projects/{project}/builds", {"workflowId": workflow_id}
        posted = list(clients.map(lambda _: post(system, path, body)["id"], range(48)))
        alive = urllib3.request("GET", f"http://127.0.0.1:{system.port}/healthz", retries=False, timeout=10.0)
    assert (alive.status, len(set(posted))) == (200, 48)
    assert {tuple(system.statuses(build)) for build in posted} == {("PENDING", "PENDING")}
    eventually(lambda: warnings(api) == 1, describe=lambda: api.text)


def bring_back(system: System, lose: Loss) -> None:
    if lose is RedisServer.stop:
        system.broker.start()
    else:
        system.broker.thaw()


def test_a_running_orchestrator_goes_on_after_the_broker_was_restarted(system: System) -> None:
    orchestrator = system.orchestrator(**OFTEN)
    system.broker.stop()
    eventually(lambda: orchestrator.lines("broker unreachable") or "Connection refused" in orchestrator.text)
    build = system.build()
    system.broker.start()
    eventually(lambda: system.queued("run.default"), describe=lambda: orchestrator.text)
    assert system.statuses(build) == ["PENDING", "READY"]
    assert orchestrator.process.poll() is None


def test_a_worker_looks_for_its_broker_every_few_seconds_however_long_that_is_away(system: System) -> None:
    orchestrator = system.orchestrator()
    system.broker.stop()
    eventually(lambda: "(5/" in orchestrator.text, describe=lambda: orchestrator.text)
    pauses = [float(pause) for pause in re.findall(r"Trying again in ([0-9.]+) seconds", orchestrator.text)]
    assert max(pauses) == RECONNECT_MAX_S, pauses
    system.broker.start()


def test_an_orchestrator_that_could_not_acknowledge_messages_takes_the_next(system: System) -> None:
    """It takes two at most, and neither is held for ever."""
    orchestrator = swept(system)
    build = system.build()
    for lost in (1, 2):
        with locked(system, build):
            system.celery.send_task("builds.plan", (build,))
            wait_lines(orchestrator, "planning", lost)
            system.broker.stop()
        wait_lines(orchestrator, "Couldn't ack", lost)
        system.broker.start()
    system.celery.send_task("builds.plan", (build,))
    wait_lines(orchestrator, "planning", 3)


def wait_lines(program: Program, event: str, count: int) -> None:
    eventually(lambda: len(program.lines(event)) == count, describe=lambda: program.text)


def test_a_broker_that_forgets_everything_loses_no_step(system: System) -> None:
    build = system.build()
    orchestrator = system.orchestrator(**OFTEN)
    eventually(lambda: system.queued("run.default"))
    system.broker.flush()
    eventually(lambda: system.queued("run.default"), describe=lambda: orchestrator.text)
    assert system.queued("run.default")[0] == ("steps.run", [*system.step_ids(build), 1])


def test_a_full_broker_is_told_of_once_and_what_it_refused_is_found_in_the_rows(system: System) -> None:
    """Hints are sent in order: when the last one was, each of the others had been tried."""
    api = system.api()
    project, workflow_id = workflow(system)
    path, body = f"projects/{project}/builds", {"workflowId": workflow_id}
    system.redis.config_set("maxmemory", "1")
    refused = [post(system, path, body)["id"] for _ in range(3)]
    eventually(lambda: warnings(api) == 1, describe=lambda: api.text)
    refused.append(post(system, path, body)["id"])
    system.redis.config_set("maxmemory", "0")
    eventually(lambda: post(system, path, body) and api.lines("broker is back"), describe=lambda: api.text)
    assert warnings(api) == 1
    system.orchestrator(**OFTEN)
    eventually(lambda: {system.statuses(build)[1] for build in refused} == {"READY"})
