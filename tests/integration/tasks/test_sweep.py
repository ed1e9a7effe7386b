"""What no message brings, the sweep finds in the rows."""

from datetime import timedelta
from typing import cast

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.domain.engine import Settlement
from app.models import Build, StepRun
from app.models.clock import database_now
from app.services import leases, planning
from app.services.leases import Claimant, LeaseTimes
from tests.integration.tasks.system import System
from tests.integration.tasks.test_deaths import locked, swept
from tests.support.program import Program
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


def test_a_ready_step_that_no_hint_told_of_is_sent(system: System) -> None:
    build = system.build()
    system.database.transact(planning.plan, build)
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


def test_lost_runners_are_seen_to_before_any_build_is_planned(system: System) -> None:
    damage(system, system.build())  # a build that the sweep logs
    claimed_and_lost(system)
    orchestrator = system.orchestrator()
    orchestrator.wait_line("the sweep cannot settle this")
    events = [line["event"] for line in orchestrator.lines()]
    assert events.index("attempt overdue") < events.index("the sweep cannot settle this; it will try again")


def test_lost_runners_are_not_kept_waiting_by_a_backlog(system: System) -> None:
    """The one sweep is asked for after the backlog; what the orchestrator did before it, its log tells."""
    step = claimed_and_lost(system)
    big = [system.build(*({"name": f"step-{number}"} for number in range(50))) for _ in range(5)]
    for task, build in zip(["builds.plan", "builds.dispatch"] * 250, big * 100, strict=True):
        system.celery.send_task(task, (build,))
    orchestrator = system.orchestrator(BUILDSERVER_LOG_LEVEL="DEBUG")
    orchestrator.wait_line("attempt overdue")
    events = [line["event"] for line in orchestrator.lines()]
    assert events[: events.index("attempt overdue")].count("build planned") < 200
    eventually(lambda: system.step(step).attempt == 2)


def test_a_sweep_waits_for_one_task_at_most(system: System) -> None:
    build = system.build()
    for _ in range(5):
        system.celery.send_task("builds.plan", (build,))
    for _ in range(5):
        system.celery.send_task("maintenance.sweep", queue="maintenance")
    orchestrator = system.orchestrator(BUILDSERVER_LOG_LEVEL="DEBUG")
    eventually(lambda: len(turns(orchestrator)) >= 10)
    assert turns(orchestrator)[:10] in (["planning", "swept"] * 5, ["swept", "planning"] * 5)


def turns(orchestrator: Program) -> list[str]:
    return [line["event"] for line in orchestrator.lines() if line["event"] in ("planning", "swept")]


def test_between_the_many_steps_of_one_build_others_get_their_turn(system: System) -> None:
    swept(system)
    big = system.build(*({"name": f"step-{number}"} for number in range(501)))
    small = system.build()
    with locked(system, big):
        for build in (big, small):
            system.celery.send_task("builds.plan", (build,))
    eventually(lambda: len(system.queued_entries("run.default")) >= 502)
    sent = [arguments[0] for _, arguments in system.queued("run.default")]
    steps = system.step_ids(big)
    assert sent == [*steps[:500], *system.step_ids(small), steps[500]]


def test_of_sweeps_that_nobody_takes_one_waits(system: System) -> None:
    """The one process is stuck while its ticker goes on; a backlog of sweeps would keep it from all else afterwards."""
    build = system.build()
    system.orchestrator(**OFTEN)
    with locked(system, build):
        system.celery.send_task("builds.plan", (build,))
        eventually(lambda: system.queue_length("maintenance"))
        looks = looked(system)
        eventually(lambda: looked(system) >= looks + 5)
        assert system.queue_length("maintenance") == 1


def looked(system: System) -> int:
    """How often anybody has asked for the length of a queue; with the orchestrator stuck, its ticker did."""
    stats = cast(dict[str, dict[str, int]], system.redis.info("commandstats"))
    return stats.get("cmdstat_llen", {}).get("calls", 0)


def test_one_sweep_finds_a_lost_runner_and_hands_its_step_out(system: System) -> None:
    """Another one, which would find it unsent, comes in an hour."""
    step = claimed_and_lost(system)
    system.orchestrator()
    eventually(lambda: system.queued("run.default") == [("steps.run", [step, 2])])


def spoil(session: Session, step_id: str) -> None:
    """What it is to do cannot be read any more."""
    session.execute(update(StepRun).where(StepRun.id == step_id).values(definition={}))


def test_an_attempt_that_cannot_be_settled_keeps_the_sweep_from_nothing(system: System) -> None:
    spoilt, lost = claimed_and_lost(system), claimed_and_lost(system)
    system.database.transact(spoil, spoilt)
    build = system.build()
    orchestrator = system.orchestrator(**OFTEN)
    eventually(lambda: len(system.queued("run.default")) == 2, describe=lambda: orchestrator.text)
    assert system.queued("run.default") == [("steps.run", [lost, 2]), ("steps.run", [*system.step_ids(build), 1])]
    assert system.database.read(lambda session: session.get_one(StepRun, spoilt).status) == "RUNNING"
    orchestrator.wait_line("the sweep cannot settle this; it will try again")
