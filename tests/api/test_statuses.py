"""Every operation of the contract with every status it documents, over real HTTP on both databases.

The cases are a table, and a test compares it with the contract. 500 is in here too: the same requests that succeed,
sent to a server whose tables were renamed away. The additive 503 is in `test_outages.py`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.models import Base
from app.models.database import Database
from tests.api.contract import CONTRACT, documented, misfits, operations, schema_of
from tests.api.rows import all_rows, assert_error, refused
from tests.api.served import Answer, Client, served
from tests.api.world import STEP, World, complete, make_world

STEPS = [{**STEP, "name": "only"}]
WORKFLOWS, BUILDS = "/api/projects/{id}/workflows", "/api/projects/{id}/builds"
SCRIPT, COMPLETE = "/api/runner/{stepId}", "/api/runner/{stepId}/complete"


@dataclass(frozen=True)
class Case:
    """A request that gets a status of an operation, and why; `{project}` and such stand for ids of the world."""

    operation: str
    status: int
    because: str
    path: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.operation} answers {self.status}: {self.because}"

    def send(self, world: World) -> Answer:
        return world.client.send(*self.request(world))

    def request(self, world: World) -> tuple[str, str, Any]:
        return self.operation.split()[0], filled(self.path, world), filled(self.body, world)


CASES = [
    Case("GET /api/projects", 200, "the account's projects", "/api/projects?accountId=acme"),
    Case("GET /api/projects", 400, "no account is named", "/api/projects"),
    Case("POST /api/projects", 201, "a project", "/api/projects", {"accountId": "acme", "name": "new"}),
    Case("POST /api/projects", 400, "it has no name", "/api/projects", {"accountId": "acme"}),
    Case(f"GET {WORKFLOWS}", 200, "the project's workflows", "/api/projects/{project}/workflows"),
    Case(f"GET {WORKFLOWS}", 404, "there is no such project", "/api/projects/{nobody}/workflows"),
    Case(f"POST {WORKFLOWS}", 201, "a workflow", "/api/projects/{project}/workflows", {"name": "x", "steps": STEPS}),
    Case(f"POST {WORKFLOWS}", 400, "it has no steps", "/api/projects/{project}/workflows", {"name": "x"}),
    Case(f"POST {WORKFLOWS}", 404, "no such project", "/api/projects/{nobody}/workflows", {"name": "x", "steps": []}),
    Case(f"GET {BUILDS}", 200, "the project's builds", "/api/projects/{project}/builds?limit=1"),
    Case(f"GET {BUILDS}", 404, "there is no such project", "/api/projects/{nobody}/builds"),
    Case(f"POST {BUILDS}", 201, "a build", "/api/projects/{project}/builds", {"workflowId": "{workflow}"}),
    Case(f"POST {BUILDS}", 400, "no workflow is named", "/api/projects/{project}/builds", {"branch": "main"}),
    Case(f"POST {BUILDS}", 404, "no such project", "/api/projects/{nobody}/builds", {"workflowId": "{workflow}"}),
    Case("GET /api/docker-images", 200, "the public ones", "/api/docker-images?public=true"),
    Case("POST /api/docker-images", 201, "an image", "/api/docker-images", {"slug": "a", "imageUrl": "docker://a"}),
    Case("POST /api/docker-images", 400, "it has no slug", "/api/docker-images", {"imageUrl": "docker://a"}),
    Case(
        "POST /api/docker-images", 409, "the slug is taken", "/api/docker-images", {"slug": "alpine", "imageUrl": "a"}
    ),
    Case(f"GET {SCRIPT}", 200, "the program", "/api/runner/{a}"),
    Case(f"GET {SCRIPT}", 404, "there is no such step run", "/api/runner/{nobody}"),
    Case(f"POST {COMPLETE}", 200, "the step succeeded", "/api/runner/{a}/complete", {"status": "success"}),
    Case(f"POST {COMPLETE}", 400, "the word is not known", "/api/runner/{a}/complete", {"status": "maybe"}),
    Case(f"POST {COMPLETE}", 404, "no such step run", "/api/runner/{nobody}/complete", {"status": "success"}),
    Case("GET /api/audit-logs", 200, "the project's entries", "/api/audit-logs?projectId={project}"),
]
GOOD = {case.operation: case for case in CASES if case.status < 300}
WITH_BODY = [case for case in GOOD.values() if case.body is not None]


def filled(template: Any, world: World) -> Any:
    text = json.dumps(template)
    for name, identifier in world.names().items():
        text = text.replace(f"{{{name}}}", identifier)
    return json.loads(text)


@pytest.fixture
def broken(world: World) -> Iterator[World]:
    """The world while every table has another name. Nothing it was asked meanwhile may have left a row."""
    before = all_rows(world.client.database)
    rename_tables(world.client.database, "{}", "{}_hidden")
    yield world
    rename_tables(world.client.database, "{}_hidden", "{}")
    assert all_rows(world.client.database) == before


def rename_tables(database: Database, now: str, then: str) -> None:
    with database.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f"ALTER TABLE {now.format(table.name)} RENAME TO {then.format(table.name)}"))


def test_every_operation_and_status_of_the_contract_has_a_case() -> None:
    covered = {(case.operation, case.status) for case in CASES} | {(operation, 500) for operation in GOOD}
    assert documented() - covered == set()
    assert len(GOOD) == len(dict(operations()))


@pytest.mark.parametrize("case", [case for case in CASES if case.status < 300], ids=str)
def test_the_request_succeeds_in_the_contract_s_form(world: World, case: Case) -> None:
    answer = case.send(world)
    assert answer.status == case.status, answer
    schema = schema_of(case.operation, case.status)
    if schema is None:
        assert answer.headers["Content-Type"].startswith("text/plain")
    else:
        assert answer.body
        assert misfits(answer.body, schema) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.status >= 400], ids=str)
def test_the_request_is_refused_in_the_contract_s_form_and_nothing_changes(world: World, case: Case) -> None:
    answer = refused(world.client, *case.request(world), status=case.status)
    assert misfits(answer.body, schema_of(case.operation, case.status)) == []


@pytest.mark.parametrize("case", GOOD.values(), ids=lambda case: f"{case.operation} answers 500")
def test_a_defect_is_answered_with_an_id_and_nothing_else(
    broken: World, case: Case, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = case.send(broken)
    assert answer.status == 500
    assert misfits(answer.body, schema_of(case.operation, 500)) == []
    request_id = answer.headers["X-Request-Id"]
    assert set(answer.body) == {"error"}
    expected = f"internal server error; the server's log has it under request id {request_id}"
    assert answer.body["error"] == expected
    (failure,) = [line for line in logged() if line["event"] == "request failed"]
    assert failure["request_id"] == request_id
    assert "Traceback (most recent call last)" in failure["exception"]
    assert "sqlalchemy.exc" in failure["exception"]


def test_a_request_that_fails_half_way_leaves_no_row(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path) as client:
        world = make_world(client)
        before = all_rows(client.database)
        with client.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE audit_counts RENAME TO audit_counts_hidden"))
        assert [case.send(world).status for case in WITH_BODY] == [500] * len(WITH_BODY)
        with client.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE audit_counts_hidden RENAME TO audit_counts"))
        assert all_rows(client.database) == before


@pytest.mark.parametrize("case", WITH_BODY, ids=lambda case: f"{case.operation} answers 415")
def test_a_body_that_is_not_json_is_415(world: World, case: Case) -> None:
    method, path, body = case.request(world)
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        refused(world.client, method, path, json.dumps(body).encode(), status=415, Content_Type=content_type)


@pytest.mark.parametrize("case", WITH_BODY, ids=lambda case: f"{case.operation} answers 413")
def test_a_body_that_is_too_large_is_413(world: World, case: Case) -> None:
    method, path, body = case.request(world)
    mebibytes = 8 if path.endswith("/complete") else 1
    refused(world.client, method, path, json.dumps(body).encode() + b" " * (mebibytes << 20), status=413)


def test_a_report_may_be_as_large_as_a_log(client: Client) -> None:
    world = make_world(client)
    logs = "x" * (5 << 20)
    assert complete(client, world.steps["a"], status="success", logs=logs).status == 200
    assert client.get(f"/api/steps/{world.steps['a']}/log").body == logs.encode()


@pytest.mark.parametrize("path", CONTRACT["paths"])
def test_a_method_the_path_does_not_have_is_405_and_told_which_it_has(world: World, path: str) -> None:
    has = {method.upper() for method in CONTRACT["paths"][path]}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - has:
        answer = refused(world.client, method, path.replace("{id}", world.project), status=405)
        assert has <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/nowhere", "/api", "/api/projects/x/y/z", "/api//projects", "/api/projects;x"])
def test_a_path_that_does_not_exist_is_404_in_the_error_shape(world: World, path: str) -> None:
    answer = world.client.get(path)
    assert answer.status == 404
    assert_error(answer)
