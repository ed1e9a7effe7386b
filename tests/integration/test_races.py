"""What happens at one moment happens in some order, once, on both databases."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Conflict
from app.domain.vocabulary import Reason, StepStatus
from app.services import dispatching, leases, planning
from app.services.leases import Claimant
from tests.api.served import Answer, Client, served
from tests.integration.plant import FAILURE, SUCCESS, TIMES, Ids, Plant
from tests.integration.racing import at_once, conflicts

WIDTH = 8
ROUNDS = 8
"""So that requests meet at more than one moment of what is done for them."""


@dataclass(frozen=True)
class Case:
    """What is said of a step, its status then and that of the step that depends on it, and the new audit entries."""

    report: dict[str, Any]
    status: str
    next_status: str
    entries: list[tuple[str, str]]


REPORTS = [
    Case({"status": "success"}, "SUCCESS", "READY", [("step.completed", "a"), ("step.ready", "b")]),
    Case(
        {"status": "failed", "exitCode": 3}, "FAILED", "SKIPPED",
        [("step.completed", "a"), ("step.skipped", "b"), ("build.finished", "")],
    ),
    Case({"status": "failed", "reason": "lost"}, "READY", "PENDING", [("step.completed", "a")]),
]  # fmt: skip


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[Client]:
    """The API over HTTP, on the same database."""
    with served(database_url, tmp_path) as client:
        yield client


def told(answers: Sequence[Answer | Conflict]) -> list[tuple[int, Any]]:
    """Each answer's status and body."""
    return [(answer.status, answer.body) for answer in answers if isinstance(answer, Answer)]


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


@pytest.mark.parametrize("case", REPORTS, ids=lambda case: str(case.report))
def test_one_report_sent_often_at_once_has_one_effect_and_equal_answers(
    plant: Plant, client: Client, case: Case
) -> None:
    """None of those who send it is told of a conflict, whoever comes first."""
    receipt = {"success": True, "stepStatus": case.status, "buildComplete": ("build.finished", "") in case.entries}
    for _ in range(ROUNDS):
        ids = plant.planned({"a": [], "b": ["a"]})
        plant.claim(ids.steps["a"])
        before = plant.entries(ids)
        send = partial(client.post, f"/api/runner/{ids.steps['a']}/complete", {**case.report, "attempt": 1})
        assert told(at_once([send] * WIDTH)) == [(200, receipt)] * WIDTH
        assert plant.entries(ids) == [*before, *case.entries]
        assert plant.statuses(ids) == {"a": case.status, "b": case.next_status}
        assert len(plant.attempts(ids.steps["a"])) == 1


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


def test_one_request_posted_often_at_once_with_its_key_is_one_build(plant: Plant, client: Client) -> None:
    """Whoever comes second gets the build of the first one, as if it were its own."""
    path, body = f"/api/projects/{plant.project}/builds", {"workflowId": plant.workflow({"a": [], "b": ["a"]})}
    for number in range(ROUNDS):
        answers = at_once([partial(client.send, "POST", path, body, Idempotency_Key=f"key {number}")] * WIDTH)
        (status, build), *others = told(answers)
        assert (status, build["status"]) == (201, "PENDING")
        assert others == [(status, build)] * (WIDTH - 1)
        assert plant.entries(plant.ids(build["id"])) == [("build.created", "")]
        assert client.get(path).body["pagination"]["total"] == number + 1
