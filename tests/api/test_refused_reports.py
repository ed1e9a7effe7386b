"""What a runner may not report, and may not do with an attempt that is not its own: refused, and no row changes."""

from typing import Any

import pytest

from tests.api.rows import refused
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
    conflict("d", "already_final", status="success")
    conflict("b", "already_final", status="failed")


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
