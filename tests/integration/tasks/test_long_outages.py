"""Everything runs for real, and something that all of it needs is away for long in the middle of builds: they end as if
it had not been, each step run once.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.tasks.gated import Gates
from tests.integration.tasks.system import System
from tests.integration.tasks.test_broker_loss import post, workflow
from tests.support.postgres import PostgresServer
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.wait import eventually
from tests.worker.conftest import ON_SQLITE
from worker.clock import clock

LEASE_S = 1.5
OFTEN = {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2", "BUILDSERVER_CLAIM_DEADLINE_S": "0.5"}
SHORT = {"BUILDSERVER_LEASE_S": str(LEASE_S), "BUILDSERVER_HEARTBEAT_S": "0.3"}
FROZEN_S = 11.0
"""Longer than a socket's timeout, and than the pause between two looks at the connection."""


def wait(seconds: float) -> None:
    """For what lasts as long as that, whatever happens."""
    over = clock() + seconds
    eventually(lambda: clock() > over, seconds + 10)


def start(system: System) -> None:
    system.settings |= OFTEN
    system.api()
    system.orchestrator()
    system.runner()


@pytest.mark.parametrize("way", ["stopped", "frozen"])
def test_steps_that_end_while_the_database_is_away_for_two_leases_count_and_nobody_is_lost(
    system_on_own_postgres: System, own_postgres: PostgresServer, tmp_path: Path, way: str
) -> None:
    system, names = system_on_own_postgres, ["a", "b", "c"]
    system.settings |= SHORT
    gates = Gates(system, tmp_path)
    build = gates.chain(names)
    start(system)
    for name in names:
        gates.wait_for(name)
        with own_postgres.away(way):
            gates.open(name)
            eventually(lambda: list(tmp_path.glob("work/reports/*.json")), 20)
            wait(2 * LEASE_S)
    gates.wait_for_the_end()
    assert gates.started() == {f"{name} 1": 1 for name in names}
    assert [system.step(step).attempt for step in system.step_ids(build)] == [1, 1, 1]


def test_hints_that_meet_no_database_are_told_of_in_a_line_and_the_sweep_does_what_they_asked_for(
    system_on_own_postgres: System, own_postgres: PostgresServer
) -> None:
    system = system_on_own_postgres
    build = system.build()
    orchestrator = system.orchestrator(**OFTEN)
    with own_postgres.away("stopped"):
        for number, task in enumerate(("builds.plan", "builds.dispatch"), 1):
            system.celery.send_task(task, (build,))
            told = eventually(partial(_warned, orchestrator, build, number))
            assert len(told) == number
        assert "Traceback" not in orchestrator.text
    eventually(lambda: system.queued("run.default"), describe=lambda: orchestrator.text)


def _warned(orchestrator: Program, build: str, wanted: int) -> list[dict[str, Any]]:
    """The lines about the build without its database, once there are as many."""
    lines = [line for line in orchestrator.lines("database unavailable") if line.get("build") == build]
    return lines if len(lines) >= wanted else []


@ON_SQLITE
@pytest.mark.parametrize("lose", [RedisServer.stop, RedisServer.freeze], ids=["refuses", "is frozen"])
def test_builds_go_on_and_new_ones_start_once_a_broker_that_was_away_for_long_is_back(
    system: System, tmp_path: Path, lose: Callable[[RedisServer], None]
) -> None:
    start(system)
    project, workflow_id = workflow(system)
    gates = Gates(system, tmp_path)
    gates.chain(["a", "b"])
    gates.wait_for("a")
    lose(system.broker)
    gates.open("a", "b")
    gates.builds.append(post(system, f"projects/{project}/builds", {"workflowId": workflow_id})["id"])
    wait(FROZEN_S)
    system.broker.thaw() if lose is RedisServer.freeze else system.broker.start()
    gates.wait_for_the_end()
    assert gates.started() == {"a 1": 1, "b 1": 1}
