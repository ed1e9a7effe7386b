"""Leases, deadlines, retries and dispatch: by the rows and the database's clock alone."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.errors import Conflict
from app.domain.retry import LOST_PAUSE_S
from app.domain.vocabulary import Reason, StepStatus
from app.services import leases, planning
from app.services.endings import Outcome
from app.services.leases import Claimant
from tests.integration.plant import FAILURE, HANDED_BACK, SUCCESS, TIMES, Plant

APP = Path(__file__).parents[2] / "app"


def beat(plant: Plant, step_id: str, attempt: int = 1, runner: str = "runner-1", has_ended: bool = False) -> None:
    plant.database.transact(leases.extend, step_id, runner, attempt, TIMES.lease_s, has_ended)


def test_a_step_whose_runner_is_lost_is_tried_three_times(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    for _ in range(3):
        assert plant.run_of(step_id).status is StepStatus.READY
        plant.claim(step_id)
        plant.lose(step_id)
    run = plant.run_of(step_id)
    assert (run.status, run.reason, run.attempt) == (StepStatus.FAILED, Reason.LOST, 3)
    assert [attempt.reason for attempt in plant.attempts(step_id)] == [Reason.LOST] * 3


def test_after_two_lost_runners_the_last_attempt_is_sent_when_a_pause_is_over(plant: Plant) -> None:
    """A step that kills its runners, or a machine that restarts, leaves the others alone meanwhile."""
    ids = plant.planned({"a": []})
    offered = []
    for _ in range(2):
        plant.claim(ids.steps["a"])
        plant.lose(ids.steps["a"])
        offered.append([each.attempt for each in plant.dispatch(ids.build)])
    run, lost_at = plant.run_of(ids.steps["a"]), plant.attempts(ids.steps["a"])[-1].finished_at
    assert lost_at
    assert (offered, run.dispatches) == ([[2], []], 0)
    assert run.ready_at == run.redispatch_at == lost_at + timedelta(seconds=LOST_PAUSE_S)
    assert plant.dispatch_unsent() == []
    plant.age_step(run.id)
    assert [each.attempt for each in plant.dispatch_unsent()] == [3]


def test_a_step_past_its_deadline_times_out_however_long_its_lease(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    plant.age(step_id, "deadline_at")
    assert plant.overdue() == [(step_id, 1)]
    plant.expire()
    assert (plant.run_of(step_id).status, plant.run_of(step_id).reason) == (StepStatus.FAILED, Reason.TIMEOUT)


@pytest.mark.parametrize("heard_s_ago", [20, 90], ids=["its lease lasts", "its lease is over, too"])
def test_a_runner_that_was_not_heard_of_after_the_deadline_may_have_died_before(plant: Plant, heard_s_ago: int) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    plant.age(step_id, "deadline_at", 5)
    plant.age(step_id, "lease_expires_at", heard_s_ago - int(TIMES.lease_s))
    lasts = heard_s_ago < TIMES.lease_s
    assert plant.overdue() == ([] if lasts else [(step_id, 1)])
    plant.database.transact(leases.expire, step_id, 1, TIMES.lease_s)
    assert plant.run_of(step_id).status is (StepStatus.RUNNING if lasts else StepStatus.READY)
    assert plant.attempts(step_id)[0].reason == (None if lasts else Reason.LOST)


def test_a_runner_without_heartbeats_has_the_time_limit_alone(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id, Claimant("runner-1"))
    for column in ("deadline_at", "lease_expires_at"):
        plant.age(step_id, column)
    plant.expire()
    assert plant.run_of(step_id).reason is Reason.TIMEOUT


def test_a_step_that_has_ended_in_time_is_not_overtaken_by_its_limit_while_its_log_is_on_the_way(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    plant.age(step_id, "deadline_at")
    beat(plant, step_id, has_ended=True)
    assert plant.overdue() == []
    plant.lose(step_id)
    assert plant.attempts(step_id)[0].reason is Reason.LOST


def test_a_claim_that_is_answered_at_last_has_its_whole_time_limit(plant: Plant) -> None:
    """A runner counts it from the answer that it got."""
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    before = plant.attempts(step_id)[0].deadline_at
    plant.age(step_id, "deadline_at")
    plant.claim(step_id)
    assert plant.attempts(step_id)[0].deadline_at > before


def test_a_claim_that_is_repeated_for_longer_than_a_lease_is_renewed_no_more(plant: Plant) -> None:
    """Its answers do not arrive, and the step has to go to somebody whose do."""
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    plant.age(step_id, "started_at", past_s=31)
    expires_at = plant.attempts(step_id)[0].lease_expires_at
    again = plant.claim(step_id)
    assert (again.attempt, again.lease_s < TIMES.lease_s) == (1, True)
    assert plant.attempts(step_id)[0].lease_expires_at == expires_at
    plant.age(step_id, "lease_expires_at", past_s=1)
    with pytest.raises(Conflict, match="lease on attempt 1 is over"):
        plant.claim(step_id)
    plant.expire()
    assert plant.claim(step_id, Claimant("runner-2", "key-2", heartbeats=True)).attempt == 2


@pytest.mark.parametrize(("reasons", "retried"), [(["exit"], True), (["timeout"], False)])
def test_a_failure_is_tried_again_for_the_reasons_the_step_names(
    plant: Plant, reasons: list[str], retried: bool
) -> None:
    ids = plant.planned({"a": []}, a={"retries": {"limit": 1, "reasons": reasons}})
    plant.run(ids.steps["a"], FAILURE)
    assert plant.run_of(ids.steps["a"]).status == ("READY" if retried else "FAILED")
    if retried:
        plant.run(ids.steps["a"], FAILURE)
    assert plant.run_of(ids.steps["a"]).status is StepStatus.FAILED


def test_an_attempt_within_its_lease_is_left_alone(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    before = plant.snapshot()
    assert plant.overdue() == []
    plant.database.transact(leases.expire, step_id, 1, TIMES.lease_s)
    assert plant.snapshot() == before


def test_a_late_heartbeat_saves_an_attempt_that_nobody_swept(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    plant.age(step_id, "lease_expires_at")
    swept = plant.overdue()
    beat(plant, step_id)
    for overdue_step, attempt in swept:
        plant.database.transact(leases.expire, overdue_step, attempt, TIMES.lease_s)
    assert swept
    assert plant.run_of(step_id).status is StepStatus.RUNNING


def test_what_a_lost_runner_still_says_changes_nothing(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    plant.lose(step_id)
    before = plant.snapshot()
    with pytest.raises(Conflict, match="stop working"):
        beat(plant, step_id)
    with pytest.raises(Conflict, match="already ended"):
        plant.complete(step_id, SUCCESS, 1)
    assert plant.snapshot() == before


@pytest.mark.parametrize("runner", ["runner-2", ""])
def test_a_heartbeat_of_another_runner_is_refused(plant: Plant, runner: str) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    before = plant.snapshot()
    with pytest.raises(Conflict):
        beat(plant, step_id, runner=runner)
    assert plant.snapshot() == before


def test_an_attempt_handed_back_is_ready_again_at_once(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    plant.dispatch(ids.build)
    plant.run(ids.steps["a"], HANDED_BACK)
    run = plant.run_of(ids.steps["a"])
    assert (run.status, run.attempt, run.runner, run.started_at, run.dispatches) == ("READY", 2, None, None, 0)
    assert [(each.step_id, each.attempt) for each in plant.dispatch(ids.build)] == [(run.id, 2)]


def test_attempts_handed_back_do_not_use_up_those_of_lost_runners(plant: Plant) -> None:
    """As when `up` is stopped and started again and again while a long step runs."""
    step_id = plant.planned({"a": []}).steps["a"]
    for _ in range(4):
        plant.run(step_id, HANDED_BACK)
    for _ in range(3):
        assert plant.run_of(step_id).status is StepStatus.READY
        plant.claim(step_id)
        plant.lose(step_id)
    run = plant.run_of(step_id)
    assert (run.status, run.reason, run.attempt) == (StepStatus.FAILED, Reason.LOST, 7)


def test_attempts_whose_processes_were_killed_count_as_lost(plant: Plant) -> None:
    """The step may have killed its runner's processes itself."""
    step_id = plant.planned({"a": []}).steps["a"]
    for _ in range(3):
        assert plant.run_of(step_id).status is StepStatus.READY
        plant.run(step_id, Outcome(False, Reason.LOST))
    run = plant.run_of(step_id)
    assert (run.status, run.reason, run.attempt) == (StepStatus.FAILED, Reason.LOST, 3)


def test_no_service_and_no_table_asks_the_clock_of_its_process() -> None:
    files = [path for folder in ("services", "models") for path in (APP / folder).rglob("*.py")]
    asked = [
        (path.name, node.func.attr)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("now", "utcnow", "today", "time", "time_ns")
    ]
    assert len(files) > 20
    assert asked == []


def test_a_build_whose_hint_was_lost_is_found_unplanned(plant: Plant) -> None:
    new, old, planned = plant.build({"a": []}), plant.build({"a": []}), plant.planned({"a": []})
    plant.age_build(old.build)
    plant.age_build(planned.build)
    assert list(plant.database.read(planning.unplanned)) == [old.build]
    assert plant.row(new).planned_at is None
