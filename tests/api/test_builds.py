"""Builds: created once for each key, listed newest first in pages, and nothing unset in what is shown."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from app.models import Build
from tests.api.rows import refused
from tests.api.served import Client
from tests.api.world import STEP, complete, new_build, new_project, new_workflow, steps_of


def nulls(value: Any) -> list[Any]:
    """Every null anywhere inside."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [None] * (value is None) + [found for each in inner for found in nulls(each)]


def test_builds_are_listed_newest_first_in_pages(client: Client, project: str, workflow: str) -> None:
    made = [client.created(f"/api/projects/{project}/builds", {"workflowId": workflow}) for _ in range(5)]
    moment = update(Build).values(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    client.database.transact(lambda session: session.execute(moment))
    pages = [client.get(f"/api/projects/{project}/builds?limit=2&offset={offset}").body for offset in (0, 2, 4, 6)]
    assert [build["id"] for page in pages for build in page["builds"]] == made[::-1]
    assert [page["pagination"] for page in pages] == [
        {"total": 5, "limit": 2, "offset": offset, "hasMore": offset < 4} for offset in (0, 2, 4, 6)
    ]
    assert client.get(f"/api/projects/{project}/builds").body["pagination"]["limit"] == 20


@pytest.mark.parametrize("limit", ["1001", "5000", "%2B1001", "9" * 50])
def test_a_limit_over_a_thousand_is_lowered_and_shown_so(client: Client, limit: str) -> None:
    project = new_project(client, "rocket")
    for path in (f"/api/projects/{project}/builds", "/api/audit-logs"):
        answer = client.get(f"{path}?limit={limit}&offset={2**80}")
        assert (answer.status, answer.body["pagination"]["limit"]) == (200, 1_000)
        assert answer.body["pagination"]["hasMore"] is False


def test_what_is_unset_is_absent_and_never_null(client: Client, project: str, workflow: str) -> None:
    build = new_build(client, project, workflow)
    shown = client.get(f"/api/builds/{build}").body
    assert set(shown) == {"id", "projectId", "workflowId", "status", "createdAt", "steps"}
    waiting = steps_of(client, build)["d"]
    assert set(waiting) == {"id", "name", "status", "attempt", "dependsOn", "imageSlug", "pool"}
    complete(client, steps_of(client, build)["a"]["id"], status="failed")
    paths = (f"/api/builds/{build}", f"/api/projects/{project}/builds", "/api/audit-logs", "/api/docker-images")
    assert [nulls(client.get(path).body) for path in paths] == [[]] * 4


def test_a_build_shows_what_was_asked_for(client: Client, project: str, workflow: str) -> None:
    asked = {
        "repoUrl": "https://git.example/a.git",
        "commitHash": "a" * 40,
        "branch": "feature/x",
        "commitMessage": "Say “hello”\n\nand more",
        "commitAuthor": "",
    }
    build = new_build(client, project, workflow, **asked)
    shown = client.get(f"/api/builds/{build}").body
    assert {name: shown[name] for name in asked} == asked


def test_credentials_in_a_repository_s_url_stay_out_of_the_log(
    client: Client, project: str, workflow: str, logged: Any
) -> None:
    url = "https://me:hunter2@git.example/a.git"
    client.post(f"/api/projects/{project}/builds", {"workflowId": workflow, "repoUrl": url})
    client.post(f"/api/projects/{project}/builds", {"workflowId": workflow, "repoUrl": url + "\n"})
    assert logged()
    assert "hunter2" not in str(logged())
    assert "hunter2" not in str(client.get("/api/audit-logs").body)


def test_a_build_without_steps_succeeds_at_once(client: Client, project: str) -> None:
    empty = new_workflow(client, project, [])
    body = client.post(f"/api/projects/{project}/builds", {"workflowId": empty}).body
    assert (body["status"], body["createdAt"]) == ("SUCCESS", body["finishedAt"])


def test_a_key_creates_one_build_in_each_project(client: Client, project: str, workflow: str) -> None:
    path, body = f"/api/projects/{project}/builds", {"workflowId": workflow}
    answers = [client.send("POST", path, body, Idempotency_Key="k") for _ in range(3)]
    assert ([answer.status for answer in answers], len({answer.body["id"] for answer in answers})) == ([201] * 3, 1)
    changed = {**body, "branch": "main"}
    faults = [("", "idempotency_key_reused")]
    refused(client, "POST", path, changed, status=409, faults=faults, Idempotency_Key="k")
    other = new_project(client, "other")
    own = {"workflowId": new_workflow(client, other, [{**STEP, "name": "a"}])}
    assert client.send("POST", f"/api/projects/{other}/builds", own, Idempotency_Key="k").status == 201
    assert client.get(path).body["pagination"]["total"] == 1


def test_a_failure_skips_what_depends_on_it_and_fails_the_build(client: Client, project: str, workflow: str) -> None:
    build = new_build(client, project, workflow)
    complete(client, steps_of(client, build)["a"]["id"], status="failed")
    body = client.get(f"/api/builds/{build}").body
    assert (body["status"], body["statusReason"]) == ("FAILED", "exit")
    assert [step["status"] for step in body["steps"]] == ["FAILED", "SKIPPED", "SKIPPED", "SKIPPED"]
