"""A full broker: what has no room stays in the rows, and workers go on with what is in it, which makes room."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.tasks.system import System
from tests.support.program import Program
from tests.support.wait import eventually

STEPS = 10_000


def test_a_backlog_larger_than_the_broker_is_sent_as_there_is_room(system: System) -> None:
    system.redis.config_set("maxmemory-policy", "noeviction")
    system.redis.config_set("maxmemory", "5mb")
    build = system.build(*({"name": f"step-{number}"} for number in range(STEPS)))
    orchestrator = system.orchestrator(BUILDSERVER_SWEEP_INTERVAL_S="0.2", BUILDSERVER_LOG_LEVEL="WARNING")
    eventually(lambda: orchestrator.lines("broker unreachable"), describe=lambda: orchestrator.text)
    assert 0 < len(system.queued_entries("run.default")) < STEPS
    taken: set[str] = set()

    def take() -> bool:
        """What a pool of runners does, as far as the broker can tell."""
        taken.update(arguments[0] for _, arguments in system.take("run.default"))
        return len(taken) == STEPS

    eventually(take, deadline_s=100, describe=lambda: f"{len(taken)} taken\n{orchestrator.text}")
    assert taken == set(system.step_ids(build))
    assert orchestrator.process.poll() is None


@contextmanager
def stopped(worker: Program) -> Iterator[None]:
    """It takes nothing until it goes on."""
    worker.send(signal.SIGSTOP)
    yield
    worker.send(signal.SIGCONT)


def wrong(worker: Program) -> list[str]:
    return [line["event"] for line in worker.lines() if line["level"] in ("error", "critical")]


def test_an_orchestrator_plans_what_lies_in_a_full_broker(system: System) -> None:
    orchestrator = system.orchestrator()
    build = system.build()
    with stopped(orchestrator):
        for _ in range(3):
            system.celery.send_task("builds.plan", (build,))
        system.redis.config_set("maxmemory", "1")
    eventually(lambda: len(orchestrator.lines("build planned")) == 3, describe=lambda: orchestrator.text)
    assert orchestrator.lines("message taken without being booked")
    assert (orchestrator.stop(), wrong(orchestrator)) == (0, [])
    assert (system.statuses(build), system.step(system.step_ids(build)[0]).dispatches) == (["PENDING", "READY"], 0)


def test_a_runner_runs_what_lies_in_a_full_broker(system: System) -> None:
    system.api()
    orchestrator, runner = system.orchestrator(), system.runner()
    build = system.build()
    with stopped(runner):
        system.celery.send_task("builds.plan", (build,))
        orchestrator.wait_line("step handed out")
        system.wait_idle()
        system.redis.config_set("maxmemory", "1")
    eventually(lambda: system.statuses(build) == ["SUCCESS", "SUCCESS"], describe=lambda: runner.text)
    assert (runner.stop(), wrong(runner)) == (0, [])


def test_the_regular_look_for_a_dead_worker_s_messages_fails_in_no_full_broker(system: System) -> None:
    with system.celery.connection() as connection:
        channel: Any = connection.default_channel
        system.redis.config_set("maxmemory", "1")
        channel.qos.restore_visible(interval=1)
