"""What happens at one moment happens in some order, once, on both databases."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from app.domain.vocabulary import Reason, StepStatus
from app.services import builds, dispatching, leases, planning
from app.services.builds import BuildRequest
from app.services.leases import Claimant
from tests.integration.plant import FAILURE, SUCCESS, TIMES, Ids, Plant
from tests.integration.racing import at_once, conflicts

WIDTH = 8


def moves(plant: Plant, ids: Ids, step: str) -> list[str]:
    return [action for action, name in plant.entries(ids) if name == step]


@pytest.mark.parametrize("width", [2, 8, 32])
def test_siblings_that_end_at_once_release_their_join_exactly_once(plant: Plant, width: int) -> None:
    siblings = [str(number) for number in range(width)]
    ids = plant.planned({**{name: [] for name in siblings}, "join": siblings})
    claims = [plant.claim(ids.steps[name]) for name in siblings]
    at_once([partial(plant.complete, claim.run.id, SUCCESS, claim.attempt) for claim in claims])
    join = plant.run_of(ids.steps["join"])
    assert (join.status, join.waiting_on, plant.row(ids).open_steps) == (StepStatus.READY, 0, 1)
    assert moves(plant, ids, "join") == ["step.ready"]


def test_of_siblings_that_end_differently_at_once_the_failed_ones_decide(plant: Plant) -> None:
    siblings = [str(number) for number in range(WIDTH)]
    ids = plant.planned({**{name: [] for name in siblings}, "join": siblings})
    claims = [plant.claim(ids.steps[name]) for name in siblings]
    outcomes = [FAILURE if number % 2 else SUCCESS for number in range(WIDTH)]
    at_once([partial(plant.complete, claim.run.id, how) for claim, how in zip(claims, outcomes, strict=True)])
    assert plant.statuses(ids)["join"] is StepStatus.SKIPPED
    assert (plant.row(ids).status, plant.row(ids).status_reason) == ("FAILED", Reason.EXIT)
    assert [action for action, _ in plant.entries(ids)].count("build.finished") == 1


def test_of_claims_at_once_one_wins(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    claimants = [Claimant(f"runner-{number}", f"key-{number}", True) for number in range(WIDTH)]
    answers = at_once([partial(plant.claim, ids.steps["a"], claimant) for claimant in claimants])
    assert conflicts(answers) == ["already_claimed"] * (WIDTH - 1)
    (attempt,) = plant.attempts(ids.steps["a"])
    winner = next(number for number, answer in enumerate(answers) if isinstance(answer, leases.Claim))
    assert attempt.runner == plant.run_of(ids.steps["a"]).runner == f"runner-{winner}"
    assert moves(plant, ids, "a") == ["step.ready", "step.claimed"]


def test_one_claim_sent_often_at_once_is_one_claim_with_equal_answers(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    answers = at_once([partial(plant.claim, ids.steps["a"])] * WIDTH)
    assert [answer.attempt for answer in answers if isinstance(answer, leases.Claim)] == [1] * WIDTH
    assert moves(plant, ids, "a") == ["step.ready", "step.claimed"]


def test_one_report_sent_often_at_once_has_one_effect_and_equal_answers(plant: Plant) -> None:
    ids = plant.planned({"a": [], "b": ["a"]})
    plant.claim(ids.steps["a"])
    answers = at_once([partial(plant.complete, ids.steps["a"], SUCCESS, 1)] * WIDTH)
    assert [str(answer) for answer in answers] == [str(answers[0])] * WIDTH
    assert moves(plant, ids, "a") == ["step.ready", "step.claimed", "step.completed"]
    assert plant.row(ids).open_steps == 1


def test_of_reports_that_contradict_each_other_the_first_one_stands(plant: Plant) -> None:
    ids = plant.planned({"a": [], "b": ["a"]})
    plant.claim(ids.steps["a"])
    outcomes = [SUCCESS, FAILURE] * (WIDTH // 2)
    answers = at_once([partial(plant.complete, ids.steps["a"], how, 1) for how in outcomes])
    assert conflicts(answers) == ["already_ended"] * (WIDTH // 2)
    succeeded = plant.run_of(ids.steps["a"]).status is StepStatus.SUCCESS
    assert plant.attempts(ids.steps["a"])[0].status == ("SUCCESS" if succeeded else "FAILED")
    assert plant.statuses(ids)["b"] == ("READY" if succeeded else "SKIPPED")
    assert moves(plant, ids, "a") == ["step.ready", "step.claimed", "step.completed"]


def test_a_report_and_the_sweep_at_once_end_an_attempt_once(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    step_id = ids.steps["a"]
    plant.claim(step_id)
    plant.age(step_id, "lease_expires_at")
    report = partial(plant.complete, step_id, SUCCESS, 1)
    sweep = partial(plant.database.transact, leases.expire, step_id, 1, TIMES.lease_s)
    calls: list[Callable[[], object]] = [report, sweep] * (WIDTH // 2)
    at_once(calls)
    (attempt,) = plant.attempts(step_id)
    won = attempt.status == "SUCCESS"
    assert plant.run_of(step_id).status == ("SUCCESS" if won else "READY")
    assert plant.run_of(step_id).attempt == (1 if won else 2)
    assert moves(plant, ids, "a") == ["step.ready", "step.claimed", "step.completed" if won else "step.expired"]


def test_a_heartbeat_that_is_answered_keeps_the_attempt_from_the_sweep(plant: Plant) -> None:
    for _ in range(WIDTH):
        ids = plant.planned({"a": []})
        step_id = ids.steps["a"]
        plant.claim(step_id)
        plant.age(step_id, "lease_expires_at")
        beat = partial(plant.database.transact, leases.extend, step_id, "runner-1", 1, 30)
        sweep = partial(plant.database.transact, leases.expire, step_id, 1, TIMES.lease_s)
        answers = at_once([beat, sweep])
        kept = plant.attempts(step_id)[0].finished_at is None
        assert conflicts(answers) == ([] if kept else ["not_held"])


def test_planners_at_once_plan_once(plant: Plant) -> None:
    ids = plant.build({"a": [], "b": []})
    at_once([partial(plant.plan, ids.build)] * WIDTH)
    assert plant.statuses(ids) == {"a": "READY", "b": "READY"}
    assert plant.entries(ids) == [("build.created", ""), ("step.ready", "a"), ("step.ready", "b")]
    before = plant.snapshot()
    plant.plan(ids.build)
    assert plant.snapshot() == before


def test_sweeps_at_once_expire_each_attempt_once(plant: Plant) -> None:
    names = [str(number) for number in range(WIDTH)]
    ids = plant.planned({name: [] for name in names})
    for name in names:
        plant.claim(ids.steps[name])
        plant.age(ids.steps[name], "lease_expires_at")
    at_once([plant.expire, plant.expire])
    for name in names:
        assert moves(plant, ids, name) == ["step.ready", "step.claimed", "step.expired"]
        assert (plant.run_of(ids.steps[name]).status, plant.run_of(ids.steps[name]).attempt) == ("READY", 2)


def test_ten_whole_sweeps_at_once_do_everything_once(plant: Plant) -> None:
    """What is overdue, what was never planned and what was never sent."""
    late, fresh, unsent = plant.planned({"a": []}), plant.build({"a": []}), plant.planned({"a": []})
    plant.dispatch(late.build)
    plant.claim(late.steps["a"])
    plant.age(late.steps["a"], "lease_expires_at")
    plant.age_build(fresh.build)
    plant.age_step(unsent.steps["a"])
    barrier = threading.Barrier(10)

    def sweep() -> list[str]:
        barrier.wait()
        plant.expire()
        for build_id in plant.database.read(planning.unplanned):
            plant.plan(build_id)
        return [each.step_id for each in plant.dispatch_unsent()]

    sent = [step_id for answer in at_once([sweep] * 10) if isinstance(answer, list) for step_id in answer]
    assert sent == [unsent.steps["a"]]
    assert moves(plant, late, "a") == ["step.ready", "step.claimed", "step.expired"]
    assert plant.entries(fresh) == [("build.created", ""), ("step.ready", "a")]


def test_dispatchers_at_once_send_each_step_once(plant: Plant) -> None:
    ids = plant.planned({str(number): [] for number in range(WIDTH)})
    work = partial(plant.database.transact, dispatching.dispatch_build, ids.build, 20)
    answers = at_once([work] * WIDTH)
    sent = [each.step_id for answer in answers if isinstance(answer, list) for each in answer]
    assert sorted(sent) == sorted(ids.steps.values())


def test_one_request_posted_often_at_once_with_its_key_is_one_build(plant: Plant) -> None:
    request = BuildRequest(plant.workflow({"a": []}))
    answers = at_once([partial(plant.database.transact, builds.create, plant.project, request, "key")] * WIDTH)
    identifiers = {answer.id for answer in answers if not isinstance(answer, Exception)}
    assert len(identifiers) == 1
    page = plant.database.read(builds.list_for_project, plant.project, 10, 0)
    assert ([build.id for build in page.rows], page.total) == (list(identifiers), 1)
