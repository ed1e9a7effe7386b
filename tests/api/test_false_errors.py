"""Commits that are done though they look as if they had failed: who asks again gets what there is, and no second."""

import itertools
from collections.abc import Callable
from functools import partial
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.services import planning
from tests.api.served import Answer, Client
from tests.api.world import claim, complete, steps_of

DIED = psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def told_false(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every other commit from now on is done, and then raises; the numbers of those."""
    commit, numbers, told = Session.commit, itertools.count(), list[int]()

    def commit_and_die(session: Session) -> None:
        commit(session)
        if (number := next(numbers)) % 2 == 0:
            told.append(number)
            raise OperationalError("COMMIT", None, DIED, connection_invalidated=True)

    monkeypatch.setattr(Session, "commit", commit_and_die)
    return told


def insistent(ask: Callable[[], Answer]) -> Answer:
    """The answer once it is no 503, as a client that knows nothing else to do gets it."""
    for _ in range(5):
        if (answer := ask()).status != 503:
            return answer
    raise AssertionError("503 again and again")


def planned(client: Client, build: str) -> None:
    """As the orchestrator does: its message comes again where it failed."""
    for _ in range(2):
        try:
            client.database.transact(planning.plan, build)
        except OperationalError:
            continue


def test_a_build_whose_every_other_commit_looks_as_if_it_had_failed_ends_as_any_other(
    client: Client, project: str, workflow: str, told_false: list[int]
) -> None:
    path, body = f"/api/projects/{project}/builds", {"workflowId": workflow}
    build = insistent(partial(client.send, "POST", path, body, Idempotency_Key="key")).body["id"]
    planned(client, build)
    for step in [each["id"] for each in steps_of(client, build).values()]:
        claimed = insistent(partial(claim, client, step, key=uuid4().hex, heartbeats=True))
        log = f"/api/runner/{step}/log?attempt=1&offset=0"
        appended = insistent(partial(client.send, "PUT", log, b"text", Content_Type="application/octet-stream"))
        done = insistent(partial(complete, client, step, attempt=1, status="success", logs=" end"))
        assert (claimed.body["attempt"], appended.body, done.body["stepStatus"]) == (1, {"offset": 4}, "SUCCESS")
        assert client.get(f"/api/steps/{step}/log").body == b"text end"
    assert client.get(f"/api/builds/{build}").body["status"] == "SUCCESS"
    assert len(client.get(path).body["builds"]) == 1
    moves = [entry["action"] for entry in client.get("/api/audit-logs?limit=1000").body["auditLogs"]]
    once, of_steps = ["build.created", "build.started", "build.finished"], ["step.ready", "step.claimed"]
    assert {action: moves.count(action) for action in [*once, *of_steps, "step.completed"]} == {
        **dict.fromkeys(once, 1),
        **dict.fromkeys([*of_steps, "step.completed"], 4),
    }
    assert len(told_false) >= 10
