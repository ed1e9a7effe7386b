"""Messages that are lost, and messages that only wait: how many a queue still holds says what is sent again."""

from typing import Any

from app.services import dispatching
from tests.integration.tasks.system import System
from tests.support.program import Program
from tests.support.wait import eventually

SOON = {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2", "BUILDSERVER_CLAIM_DEADLINE_S": "0.1", "BUILDSERVER_LOG_LEVEL": "DEBUG"}
MANY = tuple({"name": f"step-{number}"} for number in range(50))
QUEUE = "run.default"


def overdue(system: System, steps: tuple[dict[str, Any], ...] = MANY) -> Program:
    """An orchestrator that has sent every step of a build, and nobody came in time."""
    system.build(*steps)
    orchestrator = system.orchestrator(**SOON)
    eventually(lambda: system.database.read(dispatching.unclaimed) == {"default": len(steps)})
    eventually(lambda: len(system.queued_entries(QUEUE)) == len(steps), describe=lambda: orchestrator.text)
    return orchestrator


def wait_sweeps(orchestrator: Program, more: int = 3) -> None:
    before = len(orchestrator.lines("swept"))
    eventually(lambda: len(orchestrator.lines("swept")) >= before + more)


def test_steps_that_wait_for_a_runner_are_not_sent_again_however_long_it_takes(system: System) -> None:
    orchestrator = overdue(system)
    before = system.queued_entries(QUEUE)
    wait_sweeps(orchestrator)
    assert system.queued_entries(QUEUE) == before


def test_as_many_messages_are_sent_again_as_the_queue_has_lost(system: System) -> None:
    orchestrator = overdue(system)
    system.redis.rpop(f"buildserver:{QUEUE}", 7)
    eventually(lambda: len(system.queued_entries(QUEUE)) == len(MANY))
    wait_sweeps(orchestrator)
    assert len(system.queued_entries(QUEUE)) == len(MANY)


def test_a_broker_emptied_whenever_a_step_ends_loses_no_step(system: System) -> None:
    first = [{"name": f"first-{number}"} for number in range(6)]
    second = [{"name": f"second-{number}", "dependsOn": [f"first-{number}"]} for number in range(6)]
    build = system.build(*first, *second)
    system.settings |= {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2", "BUILDSERVER_CLAIM_DEADLINE_S": "0.3"}
    system.api()
    orchestrator = system.orchestrator()
    system.runner()
    emptied: set[int] = set()

    def is_over() -> bool:
        ended = system.statuses(build)[1:].count("SUCCESS")
        if ended not in emptied:
            system.broker.flush()
            emptied.add(ended)
        return ended == len(first) + len(second)

    eventually(is_over, deadline_s=60, describe=lambda: orchestrator.text)
    assert len(emptied) > len(first)
    assert system.statuses(build)[0] == "SUCCESS"
