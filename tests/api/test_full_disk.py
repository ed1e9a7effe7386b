"""While the database's disk is full, what would add to it is answered 503 and changes nothing; the rest goes on."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.rows import all_rows, refused
from tests.api.served import Client
from tests.api.world import World, claim, complete, new_build, steps_of
from tests.support.full_disk import WRITING, full_disk

CHUNK = b"x" * 256 * 1024


@pytest.fixture
def step(world: World) -> str:
    """A step run that is being run, and has printed something."""
    identifier: str = steps_of(world.client, new_build(world.client, world.project, world.workflow))["a"]["id"]
    claim(world.client, identifier, heartbeats=True)
    append(world.client, identifier, 0, b"first\n")
    return identifier


def append(client: Client, step: str, offset: int, content: bytes) -> Any:
    return client.send("PUT", f"/api/runner/{step}/log?attempt=1&offset={offset}", content).body


REQUESTS: dict[str, tuple[str, str, Any]] = {
    "a project": ("POST", "/api/projects", {"accountId": "acme", "name": "meanwhile"}),
    "an image": ("POST", "/api/docker-images", {"slug": "meanwhile", "imageUrl": "alpine:3.20"}),
    "a workflow": ("POST", "/api/projects/{project}/workflows", {"name": "meanwhile", "steps": []}),
    "a build": ("POST", "/api/projects/{project}/builds", {"workflowId": "{workflow}"}),
    "a claim": ("POST", "/api/runner/{a}/claim", {"runner": "one", "key": "k", "heartbeats": True}),
    "a piece of a log": ("PUT", "/api/runner/{step}/log?attempt=1&offset=6", CHUNK),
    "a success": ("POST", "/api/runner/{step}/complete", {"status": "success", "attempt": 1}),
    "a success with its log": ("POST", "/api/runner/{step}/complete", {"status": "success", "logs": "last\n"}),
    "a failure": ("POST", "/api/runner/{step}/complete", {"status": "failed", "exitCode": 3}),
    "an attempt handed back": (
        "POST", "/api/runner/{step}/complete", {"status": "failed", "reason": "lost", "handedBack": True},
    ),
}  # fmt: skip


def asked(world: World, step: str, what: str) -> tuple[str, str, Any]:
    """The request, with the ids of this world in the place of their names."""
    method, path, body = REQUESTS[what]
    names = {**world.names(), "step": step}
    if isinstance(body, dict):
        body = {field: value.format(**names) if isinstance(value, str) else value for field, value in body.items()}
    return method, path.format(**names), body


@pytest.mark.parametrize("what", REQUESTS)
def test_what_has_no_room_is_answered_503_with_what_to_do_and_can_be_had_later(
    world: World, step: str, what: str, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    client, request = world.client, asked(world, step, what)
    with full_disk(client.database) as errors:
        answer = refused(client, *request, status=503, faults=[])
        request_id = answer.headers["X-Request-Id"]
        assert answer.body["error"] == (
            "the database's disk is full, so nothing was changed; free some room there and try again "
            f"(request id {request_id})"
        )
        assert int(answer.headers["Retry-After"]) > 0
        assert len(errors) == 1, errors
        assert "No space left on device" in errors[0] or errors[0] == "database or disk is full"
        assert [line["request_id"] for line in logged() if line["event"] == "database unavailable"] == [request_id]
    assert client.send(*request).status in (200, 201)


def test_a_heartbeat_and_whoever_reads_are_answered_on_a_full_disk(world: World, step: str) -> None:
    client = world.client
    with full_disk(client.database):
        before = all_rows(client.database)["attempts"]
        beat = client.post(f"/api/runner/{step}/heartbeat", {"runner": "one", "attempt": 1})
        assert (beat.status, beat.body) == (200, {"cancel": False, "leaseSeconds": 30.0})
        assert all_rows(client.database)["attempts"] != before
        assert client.get(f"/api/steps/{step}/log").body == b"first\n"
        assert client.get(f"/api/steps/{step}").body["status"] == "RUNNING"
        assert client.get(f"/api/projects/{world.project}/builds").status == 200


def test_a_heartbeat_is_answered_503_where_not_even_rows_can_change(world: World, step: str) -> None:
    client, path, body = world.client, f"/api/runner/{step}/heartbeat", {"runner": "one", "attempt": 1}
    with full_disk(client.database, WRITING):
        refused(client, "POST", path, body, status=503, faults=[])
    assert client.post(path, body).body == {"cancel": False, "leaseSeconds": 30.0}


def test_a_report_that_had_no_room_counts_when_it_comes_again_and_its_log_is_whole(world: World, step: str) -> None:
    """Having failed in between, and more than once, leaves nothing behind that would stand in its way."""
    client, report = world.client, {"status": "success", "attempt": 1, "logs": "last\n"}
    before = completions(world)
    with full_disk(client.database):
        for _ in range(3):
            assert append(client, step, 6, CHUNK).keys() == {"error"}
            assert complete(client, step, **report).status == 503
    assert append(client, step, 6, CHUNK) == {"offset": 6 + len(CHUNK)}
    answers = [complete(client, step, **report) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body == answers[1].body == {"success": True, "stepStatus": "SUCCESS", "buildComplete": False}
    assert client.get(f"/api/steps/{step}/log").body == b"first\n" + CHUNK + b"last\n"
    assert completions(world) == before + 1


def completions(world: World) -> int:
    """How many audit entries the project has of them."""
    page = world.client.get(f"/api/audit-logs?action=step.completed&projectId={world.project}").body
    return int(page["pagination"]["total"])
