"""What no message brings, the sweep finds in the rows."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.domain.engine import Settlement
from app.models import Build, StepRun
from app.models.clock import database_now
from app.services import leases, planning
from app.services.leases import Claimant, LeaseTimes
from tests.integration.tasks.system import System
from tests.integration.tasks.test_deaths import locked
from tests.support.wait import eventually

OFTEN = {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2"}
TIMES = LeaseTimes(lease_s=0.01, step_timeout_s=60)


def claimed_and_lost(system: System) -> str:
    """A step whose runner sends no heartbeat any more."""
    system.attend()
    build = system.build()
    system.database.transact(planning.plan, build)
    (step,) = system.step_ids(build)
    system.database.transact(leases.claim, step, Claimant("gone", "key", heartbeats=True), 1, TIMES)
    return step


def damage(system: System, build_id: str) -> None:
    """Rows that contradict each other: no step is open, and the first one would be skipped, which the database refuses.

    It is the oldest build, so the sweep meets it first.
    """

    def write(session: Session) -> None:
        settled = {"open_steps": 0, "created_at": database_now(session) - timedelta(days=1)}
        session.execute(update(Build).where(Build.id == build_id).values(settled))
        session.execute(update(StepRun).where(StepRun.build_id == build_id).values(worst=Settlement.FAILED))

    system.database.transact(write)


def test_a_build_whose_hint_was_lost_is_planned_and_its_steps_are_sent(system: System) -> None:
    build = system.build()
    system.orchestrator(**OFTEN)
    eventually(lambda: system.queued("run.default"))
    assert system.queued("run.default") == [("steps.run", [*system.step_ids(build), 1])]


def test_a_lost_runner_s_step_is_sent_again_as_its_next_attempt(system: System) -> None:
    step = claimed_and_lost(system)
    orchestrator = system.orchestrator(**OFTEN)
    eventually(lambda: system.queued("run.default"))
    assert system.queued("run.default") == [("steps.run", [step, 2])]
    assert (system.step(step).status, system.step(step).attempt) == ("READY", 2)
    line = orchestrator.wait_line("attempt overdue")
    assert (line["step"], line["attempt"]) == (step, 1)


def test_a_step_whose_messages_are_lost_is_sent_again_after_twice_the_time(system: System) -> None:
    (step,) = system.step_ids(system.build())
    system.orchestrator(**OFTEN, BUILDSERVER_CLAIM_DEADLINE_S="0.1")
    for _ in range(3):
        assert eventually(lambda: system.take("run.default")) == [("steps.run", [step, 1])]
    run = system.step(step)
    assert run.dispatched_at
    assert run.redispatch_at
    assert run.redispatch_at - run.dispatched_at == timedelta(seconds=0.1 * 2 ** min(run.dispatches - 1, 2))


def test_a_build_that_cannot_be_planned_keeps_no_other_waiting(system: System) -> None:
    broken = system.build()
    damage(system, broken)
    before = system.statuses(broken)
    sound, lost = system.build(), claimed_and_lost(system)
    orchestrator = system.orchestrator(**OFTEN)
    assert orchestrator.wait_line("the sweep cannot settle this")["build"] == broken
    eventually(lambda: system.statuses(sound)[1] == "READY" and system.step(lost).attempt == 2)
    assert system.statuses(broken) == before


def test_sweeps_that_nobody_takes_are_worth_one_interval_each(system: System) -> None:
    """The one process is stuck while its ticker goes on; a backlog of sweeps would all be done one after the other."""
    build = system.build()
    system.orchestrator(**OFTEN)
    with locked(system, build):
        system.celery.send_task("builds.plan", (build,))
        waiting = eventually(lambda: sweeps(system))
        ends = [datetime.fromisoformat(headers["expires"] or "9999-01-01T00:00:00+00:00") for headers in waiting]
        assert max(ends) <= datetime.now(UTC) + timedelta(seconds=0.2)


def sweeps(system: System) -> list[dict[str, str]]:
    """The headers of the sweeps in the queue."""
    headers = [json.loads(entry)["headers"] for entry in system.queued_entries("orchestrate")]
    return [each for each in headers if each["task"] == "maintenance.sweep"]
