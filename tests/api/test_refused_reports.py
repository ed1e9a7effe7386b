"""What a runner may not report, and may not do with an attempt that is not its own: refused, and no row changes."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.services import leases
from tests.api.rows import all_rows, refused
from tests.api.served import Client
from tests.api.world import World, claim, complete, new_build, steps_of

REPORTS = [
    ({"status": "SUCCESS"}, "status"),
    ({"status": "success", "attempt": 0}, "attempt"),
    ({"status": "success", "attempt": "1"}, "attempt"),
    ({"status": "success", "attempt": 2**31}, "attempt"),
    ({"status": "success", "logs": 5}, "logs"),
    ({"status": "success", "outputPaths": "x"}, "outputPaths"),
    ({"status": "success", "outputPaths": [5]}, "outputPaths[0]"),
    ({"status": "failed", "exitCode": 1.5}, "exitCode"),
    ({"status": "failed", "exitCode": 2**40}, "exitCode"),
    ({"status": "failed", "reason": "dependency"}, "reason"),
    ({"status": "failed", "reason": "lost", "handedBack": "yes"}, "handedBack"),
    ({"status": "failed", "reason": "exit", "handedBack": True}, "handedBack"),
    ({"status": "failed", "handedBack": True}, "handedBack"),
    ({"status": "success", "handedBack": True}, "handedBack"),
    ({"status": "success", "exitCode": 5}, "exitCode"),
    ({"status": "success", "exitCode": -9}, "exitCode"),
    ({"status": "success", "exitCode": 0, "reason": "exit"}, "reason"),
]


@pytest.mark.parametrize(("report", "path"), REPORTS, ids=str)
def test_a_report_that_cannot_be(world: World, report: dict[str, Any], path: str) -> None:
    where = f"/api/runner/{world.steps['a']}/complete"
    refused(world.client, "POST", where, report, faults=[(path, "invalid")])


def test_a_success_that_contradicts_itself_twice_is_told_both(world: World) -> None:
    report = {"status": "success", "exitCode": 1, "reason": "timeout"}
    where = f"/api/runner/{world.steps['a']}/complete"
    answer = refused(world.client, "POST", where, report, faults=[("exitCode", "invalid"), ("reason", "invalid")])
    assert "where the status is success" in answer.body["error"]


@pytest.mark.parametrize("report", [{"status": "success", "exitCode": 0}, {"status": "failed", "exitCode": 0}], ids=str)
def test_a_script_that_ended_with_0_may_have_gone_either_way(world: World, report: dict[str, Any]) -> None:
    """A failure with 0 is that of a time limit, or of an output that was not left."""
    step = steps_of(world.client, new_build(world.client, world.project, world.workflow))["a"]["id"]
    assert complete(world.client, step, **report).status == 200
    assert world.client.get(f"/api/steps/{step}").body["exitCode"] == 0


def test_a_report_out_of_turn_is_a_conflict(world: World) -> None:
    client = world.client
    build = new_build(client, world.project, world.workflow)
    ids = {name: step["id"] for name, step in steps_of(client, build).items()}

    def conflict(step: str, code: str, **report: Any) -> None:
        refused(client, "POST", f"/api/runner/{ids[step]}/complete", report, status=409, faults=[("", code)])

    conflict("d", "dependencies_open", status="success")
    conflict("a", "stale_attempt", status="success", attempt=2)
    complete(client, ids["a"], status="failed", exitCode=3)
    conflict("a", "already_ended", status="success")
    conflict("a", "already_ended", status="failed", reason="timeout")
    conflict("a", "already_ended", status="failed", exitCode=4)
    conflict("d", "already_final", status="success")
    conflict("b", "already_final", status="failed")


def test_a_report_repeated_without_its_exit_status_is_the_same_report(world: World) -> None:
    client = world.client
    step = steps_of(client, new_build(client, world.project, world.workflow))["a"]["id"]
    first = complete(client, step, status="failed", exitCode=3)
    assert (first.status, complete(client, step, status="failed").body) == (200, first.body)
    refusal = complete(client, step, status="success").body["error"]
    assert refusal == "attempt 1 has already ended: FAILED (exit) with exit status 3"


def test_an_attempt_that_was_handed_back_was_not_lost_and_the_other_way_round(world: World) -> None:
    client = world.client
    ways: list[dict[str, Any]] = [{"handedBack": True}, {}]
    for first, second in (ways, ways[::-1]):
        step = steps_of(client, new_build(client, world.project, world.workflow))["a"]["id"]
        claim(client, step, attempt=1)
        report = {"status": "failed", "reason": "lost", "attempt": 1}
        assert complete(client, step, **report, **first).status == 200
        where = f"/api/runner/{step}/complete"
        refused(client, "POST", where, {**report, **second}, status=409, faults=[("", "already_ended")])


def test_a_report_under_a_claims_key_is_about_what_that_claim_got(world: World) -> None:
    client = world.client
    step = steps_of(client, new_build(client, world.project, world.workflow))["a"]["id"]
    report = {"status": "failed", "reason": "lost", "handedBack": True, "attempt": 1}

    def conflict(key: str) -> None:
        where = f"/api/runner/{step}/complete"
        refused(client, "POST", where, {**report, "key": key}, status=409, faults=[("", "not_claimed")])

    claim(client, step, attempt=1, key="first")
    conflict("second")
    first = complete(client, step, **report, key="first")
    assert (first.status, first.body["stepStatus"]) == (200, "READY")
    conflict("second")
    assert complete(client, step, **report, key="first").body == first.body
    claim(client, step, attempt=2)
    conflict("second")


def test_a_report_under_the_key_of_a_claim_that_did_not_come_is_there_before_it(world: World) -> None:
    """Else the claim, late, would get an attempt that nobody works on. Without a number any attempt might be meant."""
    client = world.client
    step = steps_of(client, new_build(client, world.project, world.workflow))["a"]["id"]
    report = {"status": "failed", "reason": "lost", "handedBack": True, "key": "late"}
    refused(client, "POST", f"/api/runner/{step}/complete", report, status=409, faults=[("", "not_claimed")])
    assert complete(client, step, **report, attempt=1).body["stepStatus"] == "READY"
    asked = {"runner": "r", "attempt": 1, "key": "late"}
    refused(client, "POST", f"/api/runner/{step}/claim", asked, status=409, faults=[("", "stale_attempt")])
    assert claim(client, step, attempt=2).status == 200


def test_a_success_without_an_exit_status_and_one_with_are_the_same(world: World) -> None:
    client = world.client
    step = steps_of(client, new_build(client, world.project, world.workflow))["a"]["id"]
    first = complete(client, step, status="success")
    assert complete(client, step, status="success", exitCode=0).body == first.body


def test_an_attempt_that_was_handed_back_changes_nothing_any_more(world: World) -> None:
    client = world.client
    step = steps_of(client, new_build(client, world.project, world.workflow))["a"]["id"]
    claim(client, step, attempt=1)
    complete(client, step, status="failed", reason="lost", attempt=1)
    path = f"/api/runner/{step}"
    for action, body, code in (
        ("complete", {"status": "success", "attempt": 1}, "already_ended"),
        ("claim", {"runner": "one", "attempt": 1}, "stale_attempt"),
        ("heartbeat", {"runner": "one", "attempt": 1}, "not_held"),
    ):
        refused(client, "POST", f"{path}/{action}", body, status=409, faults=[("", code)])
    refused(client, "PUT", f"{path}/log?attempt=1&offset=0", b"late", status=409, faults=[("", "not_running")])


SECOND: dict[str, dict[str, Any] | None] = {
    "RUNNING": None,
    "SUCCESS": {"status": "success", "attempt": 2},
    "FAILED": {"status": "failed", "exitCode": 3, "attempt": 2},
}
"""How the second attempt is reported, by what the step run is then."""
LATE = [
    ("POST", "complete", {"status": "success", "attempt": 1}, "already_ended"),
    ("POST", "complete", {"status": "success", "attempt": 1, "logs": "late\n"}, "already_ended"),
    ("POST", "complete", {"status": "failed", "exitCode": 3, "attempt": 1}, "already_ended"),
    ("POST", "complete", {"status": "failed", "reason": "timeout", "attempt": 1, "logs": "late\n"}, "already_ended"),
    ("PUT", "log?attempt=1&offset=0", b"first\nlate\n", "not_running"),
    ("PUT", "log?attempt=1&offset=6", b"late\n", "not_running"),
    ("PUT", "log?attempt=1&offset=6", b"", "not_running"),
    ("POST", "heartbeat", {"runner": "one", "attempt": 1}, "not_held"),
    ("POST", "claim", {"runner": "one", "attempt": 1, "key": "one's", "heartbeats": True}, "stale_attempt"),
]
"""What the first one's runner may still have on its way, and the code of the conflict that each is."""


def append(client: Client, step: str, attempt: int, content: bytes) -> None:
    assert client.send("PUT", f"/api/runner/{step}/log?attempt={attempt}&offset=0", content).status == 200


def lose(session: Session, step: str) -> None:
    """The lease of the first attempt runs out, and a sweep finds it."""
    leases.extend(session, step, "one", 1, -60)
    leases.expire(session, step, 1, 30)


def standing(client: Client, step: str) -> tuple[str, int]:
    """The step run's status, and the number of its current attempt."""
    shown = client.get(f"/api/steps/{step}").body
    return shown["status"], shown["attempt"]


@pytest.fixture
def lost(world: World) -> str:
    """A step run whose first attempt has printed something, and is lost since."""
    step: str = steps_of(world.client, new_build(world.client, world.project, world.workflow))["a"]["id"]
    claim(world.client, step, "one", attempt=1, key="one's", heartbeats=True)
    append(world.client, step, 1, b"first\n")
    world.client.database.transact(lose, step)
    assert standing(world.client, step) == ("READY", 2)
    return step


def tell_late(client: Client, step: str) -> None:
    """All of it is refused, and no row of any table changes; neither does one for what the server knows already."""
    for method, action, body, code in LATE:
        refused(client, method, f"/api/runner/{step}/{action}", body, status=409, faults=[("", code)])
    before = all_rows(client.database)
    known = complete(client, step, status="failed", reason="lost", attempt=1, logs="late\n")
    assert (known.status, known.body) == (200, {"success": True, "stepStatus": "READY", "buildComplete": False})
    assert all_rows(client.database) == before


def test_what_a_lost_attempt_says_late_changes_nothing_while_the_next_one_waits(world: World, lost: str) -> None:
    client = world.client
    tell_late(client, lost)
    assert standing(client, lost) == ("READY", 2)
    assert client.get(f"/api/steps/{lost}/log").body == b"first\n"


@pytest.mark.parametrize("status", SECOND)
def test_what_a_lost_attempt_says_late_changes_nothing_of_the_next_one(world: World, lost: str, status: str) -> None:
    """While it runs, and when it has ended, either way; then it ends as if nothing had been said."""
    client, report = world.client, SECOND[status]
    claim(client, lost, "two", attempt=2, key="two's", heartbeats=True)
    append(client, lost, 2, b"second\n")
    if report:
        assert complete(client, lost, **report).status == 200
    tell_late(client, lost)
    assert standing(client, lost) == (status, 2)
    if not report:
        assert complete(client, lost, status="success", attempt=2).body["stepStatus"] == "SUCCESS"
    logs = [client.get(f"/api/steps/{lost}/log?attempt={number}").body for number in (1, 2)]
    assert logs == [b"first\n", b"second\n"]
