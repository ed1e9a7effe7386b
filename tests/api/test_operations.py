"""Every operation of the contract with every status it documents but 500, over real HTTP on both databases."""

from typing import Any

import pytest

from app.services import planning
from tests.api.conftest import STEP, Client

NOBODY = "01890000-0000-7000-8000-000000000000"


def build(client: Client, project: str, workflow: str) -> str:
    identifier: str = client.post(f"/api/projects/{project}/builds", {"workflowId": workflow}).body["id"]
    client.database.transact(planning.plan, identifier)
    return identifier


def steps(client: Client, build_id: str) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in client.get(f"/api/builds/{build_id}").body["steps"]}


def complete(client: Client, step_id: str, **report: Any) -> Any:
    return client.post(f"/api/runner/{step_id}/complete", report)


def test_projects_are_created_and_listed_by_account(client: Client) -> None:
    created = client.post("/api/projects", {"accountId": "acme", "name": " rocket "})
    assert created.status == 201
    assert created.body["name"] == "rocket"
    assert client.get("/api/projects?accountId=acme").body == [created.body]
    assert client.get("/api/projects?accountId=other").body == []


def test_projects_are_not_listed_without_an_account(client: Client) -> None:
    answer = client.get("/api/projects")
    assert (answer.status, answer.body["details"][0]["path"]) == (400, "accountId")


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"[" * 10_000, b'{"accountId": NaN, "name": "x"}', {"accountId": "a"}]
    + [{"accountId": "a", "name": name} for name in ("", "  ", "x" * 101, 5, None, ["x"], "\0", "\ud800")],
    ids=lambda body: repr(body)[:40],
)
def test_a_project_that_makes_no_sense_is_refused_and_nothing_is_kept(client: Client, body: Any) -> None:
    answer = client.post("/api/projects", body)
    assert (answer.status, set(answer.body) - {"details"}) == (400, {"error"})
    assert client.get("/api/projects?accountId=a").body == []
    assert client.audit_entries() == 0


def test_a_body_that_is_not_json_is_415_and_one_that_is_too_large_413(client: Client) -> None:
    assert client.send("POST", "/api/projects", b"{}", Content_Type="text/plain").status == 415
    assert client.send("POST", "/api/projects", b" " * 2_000_000).status == 413


def test_an_unknown_path_is_404_and_a_wrong_method_405_in_the_error_shape(client: Client) -> None:
    assert "error" in client.get("/nowhere").body
    answer = client.send("DELETE", "/api/projects")
    assert (answer.status, "error" in answer.body, "POST" in answer.headers["Allow"]) == (405, True, True)


def test_workflows_are_created_listed_and_shown_as_posted(client: Client, project: str) -> None:
    step = {**STEP, "name": "test", "env": {"A": "b"}, "timeoutSeconds": 5, "retries": {"limit": 1}}
    created = client.post(f"/api/projects/{project}/workflows", {"name": "ci", "steps": [{**step, "unknown": 1}]})
    assert created.status == 201
    assert client.get(f"/api/projects/{project}/workflows").body == [created.body]
    assert client.get(f"/api/workflows/{created.body['id']}").body == {**created.body, "steps": [step]}


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"dependsOn": ["x"]}, "steps[0].dependsOn[0]", "unknown_dependency"),
        ({"dependsOn": ["test"]}, "steps[0].dependsOn[0]", "self_dependency"),
        ({"imageSlug": "nope"}, "steps[0].imageSlug", "unknown_image"),
        ({"runScript": ""}, "steps[0].runScript", "invalid"),
        ({"outputPaths": ["../x"]}, "steps[0].outputPaths[0]", "invalid"),
        ({"env": {"A B": "x"}}, "steps[0].env.A B.key", "invalid"),
        ({"timeoutSeconds": "5"}, "steps[0].timeoutSeconds", "invalid"),
        ({"allowFailure": "yes"}, "steps[0].allowFailure", "invalid"),
    ],
)
def test_a_workflow_with_a_fault_is_refused_by_path(
    client: Client, project: str, changes: dict[str, Any], path: str, code: str
) -> None:
    answer = client.post(
        f"/api/projects/{project}/workflows", {"name": "ci", "steps": [{**STEP, "name": "test", **changes}]}
    )
    assert answer.status == 400
    assert [(fault["path"], fault["code"]) for fault in answer.body["details"]] == [(path, code)]
    assert client.get(f"/api/projects/{project}/workflows").body == []


@pytest.mark.parametrize("unknown", [NOBODY, "x", "%00", "..%2f"])
@pytest.mark.parametrize("listed", ["workflows", "builds"])
def test_what_belongs_to_an_unknown_project_is_404(client: Client, unknown: str, listed: str) -> None:
    assert client.get(f"/api/projects/{unknown}/{listed}").status == 404
    body = {"name": "x", "steps": [], "workflowId": NOBODY}
    assert client.post(f"/api/projects/{unknown}/{listed}", body).status == 404


def test_builds_are_created_and_listed_newest_first_in_pages(client: Client, project: str, diamond: str) -> None:
    created = [client.post(f"/api/projects/{project}/builds", {"workflowId": diamond}) for _ in range(3)]
    assert [answer.status for answer in created] == [201, 201, 201]
    page = client.get(f"/api/projects/{project}/builds?limit=2").body
    assert [listed["id"] for listed in page["builds"]] == [created[2].body["id"], created[1].body["id"]]
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 0, "hasMore": True}
    lowered = client.get(f"/api/projects/{project}/builds?limit=5000").body["pagination"]
    assert (lowered["limit"], lowered["hasMore"]) == (1000, False)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "limit=1.5"])
def test_a_page_that_cannot_be_is_400(client: Client, project: str, query: str) -> None:
    assert client.get(f"/api/projects/{project}/builds?{query}").status == 400
    assert client.get(f"/api/audit-logs?{query}").status == 400


@pytest.mark.parametrize(
    "field",
    [{"repoUrl": url} for url in ("ext::sh", "--upload-pack=x", "file:///etc", "https://a b")]
    + [{"commitHash": "xyz"}, {"branch": "--x"}, {"branch": "a..b"}, {"commitMessage": 5}],
    ids=str,
)
def test_a_build_that_makes_no_sense_is_refused(
    client: Client, project: str, diamond: str, field: dict[str, Any]
) -> None:
    answer = client.post(f"/api/projects/{project}/builds", {"workflowId": diamond, **field})
    assert (answer.status, answer.body["details"][0]["path"]) == (400, next(iter(field)))
    assert client.get(f"/api/projects/{project}/builds").body["pagination"]["total"] == 0


def test_a_workflow_of_another_project_is_404_like_none(client: Client, diamond: str) -> None:
    other = client.post("/api/projects", {"accountId": "acme", "name": "other"}).body["id"]
    for workflow in (diamond, NOBODY):
        assert client.post(f"/api/projects/{other}/builds", {"workflowId": workflow}).status == 404


def test_an_idempotency_key_creates_one_build(client: Client, project: str, diamond: str) -> None:
    path, body = f"/api/projects/{project}/builds", {"workflowId": diamond}
    ids = {client.send("POST", path, body, Idempotency_Key="k").body["id"] for _ in range(3)}
    assert len(ids) == 1
    assert client.send("POST", path, {**body, "branch": "main"}, Idempotency_Key="k").status == 409


def test_a_build_without_steps_succeeds_at_once(client: Client, project: str) -> None:
    workflow = client.post(f"/api/projects/{project}/workflows", {"name": "none", "steps": []}).body["id"]
    assert client.post(f"/api/projects/{project}/builds", {"workflowId": workflow}).body["status"] == "SUCCESS"


def test_images_are_registered_once_and_listed(client: Client) -> None:
    image = {"slug": "python", "imageUrl": "docker://python:3.12", "public": True}
    created = client.post("/api/docker-images", image)
    assert (created.status, created.body["public"]) == (201, True)
    assert client.post("/api/docker-images", image).status == 409
    assert client.post("/api/docker-images", {**image, "slug": "x", "imageUrl": "-x"}).status == 400
    client.post("/api/docker-images", {"slug": "own", "imageUrl": "alpine"})
    assert len(client.get("/api/docker-images").body) == 2
    assert client.get("/api/docker-images?public=true").body == [created.body]
    assert client.get("/api/docker-images?public=maybe").status == 400


def test_the_script_is_plain_bash_and_asking_changes_nothing(client: Client, project: str, diamond: str) -> None:
    step = steps(client, build(client, project, diamond))["a"]["id"]
    before = client.audit_entries()
    first, second = (client.get(f"/api/runner/{step}") for _ in range(2))
    assert (first.status, first.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert first.body == second.body
    assert client.audit_entries() == before
    assert client.get(f"/api/runner/{NOBODY}").status == 404


def test_a_diamond_runs_to_its_end_by_the_contracts_two_calls(client: Client, project: str, diamond: str) -> None:
    build_id = build(client, project, diamond)
    for name in "abcd":
        answer = complete(client, steps(client, build_id)[name]["id"], status="success", logs="\0\ud800 done")
        assert answer.body == {"success": True, "stepStatus": "SUCCESS", "buildComplete": name == "d"}
    assert client.get(f"/api/builds/{build_id}").body["status"] == "SUCCESS"


def test_the_same_report_twice_has_one_effect(client: Client, project: str, diamond: str) -> None:
    step = steps(client, build(client, project, diamond))["a"]["id"]
    first = complete(client, step, status="success")
    entries = client.audit_entries()
    assert complete(client, step, status="success").body == first.body
    assert complete(client, step, status="failed").status == 409
    assert client.audit_entries() == entries


def test_a_failure_skips_what_depends_on_it_and_fails_the_build(client: Client, project: str, diamond: str) -> None:
    build_id = build(client, project, diamond)
    complete(client, steps(client, build_id)["a"]["id"], status="failed")
    body = client.get(f"/api/builds/{build_id}").body
    assert (body["status"], body["statusReason"]) == ("FAILED", "exit")
    assert [step["status"] for step in body["steps"]] == ["FAILED", "SKIPPED", "SKIPPED", "SKIPPED"]


def test_a_report_that_cannot_be_is_refused_and_changes_nothing(client: Client, project: str, diamond: str) -> None:
    build_id = build(client, project, diamond)
    before = client.get(f"/api/builds/{build_id}").body
    ready, waiting = (before["steps"][i]["id"] for i in (0, 3))
    assert complete(client, ready, status="maybe").status == 400
    assert complete(client, ready, status="success", attempt=2).status == 409
    assert complete(client, waiting, status="success").status == 409
    assert complete(client, NOBODY, status="success").status == 404
    assert client.get(f"/api/builds/{build_id}").body == before


def test_an_attempt_is_claimed_by_one_runner(client: Client, project: str, diamond: str) -> None:
    path = f"/api/runner/{steps(client, build(client, project, diamond))['a']['id']}"
    asked = [("one", "k"), ("one", "k"), ("one", "other"), ("two", "k"), ("one", None)]
    bodies = [{"runner": name, "heartbeats": True, **({"key": key} if key else {})} for name, key in asked]
    claims = [client.post(f"{path}/claim", body) for body in bodies]
    assert [claim.status for claim in claims] == [200, 200, 409, 409, 409]
    assert client.post(f"{path}/heartbeat", {"runner": "one", "attempt": 1}).body == {
        "cancel": False,
        "leaseSeconds": 30.0,
    }
    assert client.post(f"{path}/heartbeat", {"runner": "two", "attempt": 1}).status == 409


def test_a_log_is_appended_by_offset_and_read_byte_for_byte(client: Client, project: str, diamond: str) -> None:
    step = steps(client, build(client, project, diamond))["a"]["id"]
    client.post(f"/api/runner/{step}/claim", {"runner": "one"})
    for offset, content, end in ((0, b"\xff\0a", 3), (0, b"\xff\0ab", 4), (9, b"lost", 4), (4, b"c", 5)):
        assert client.send("PUT", f"/api/runner/{step}/log?attempt=1&offset={offset}", content).body == {"offset": end}
    assert client.get(f"/api/steps/{step}/log").body == b"\xff\0abc"


def test_an_attempt_handed_back_is_followed_by_the_next(client: Client, project: str, diamond: str) -> None:
    step = steps(client, build(client, project, diamond))["a"]["id"]
    client.post(f"/api/runner/{step}/claim", {"runner": "one"})
    assert complete(client, step, status="failed", reason="lost", attempt=1).body["stepStatus"] == "READY"
    assert complete(client, step, status="success", attempt=1).status == 409
    assert [a["reason"] for a in client.get(f"/api/steps/{step}/attempts").body] == ["lost"]


def test_the_audit_log_tells_every_move_and_filters(client: Client, project: str, diamond: str) -> None:
    build_id = build(client, project, diamond)
    complete(client, steps(client, build_id)["a"]["id"], status="failed")
    page = client.get(f"/api/audit-logs?projectId={project}").body
    assert page["auditLogs"][0]["action"] == "build.finished"
    assert page["pagination"]["total"] == len(page["auditLogs"])
    assert client.get("/api/audit-logs?action=step.skipped").body["pagination"]["total"] == 3
    assert client.get("/api/audit-logs?action=nothing.known").body["auditLogs"] == []
