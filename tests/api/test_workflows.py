"""Workflows: shown as they were posted, listed oldest first."""

from pathlib import Path

from tests.api.rows import refused
from tests.api.served import Client, served
from tests.api.world import STEP, new_build, new_image, new_project, new_workflow, steps_of


def test_workflows_are_created_listed_and_shown_as_posted(client: Client, project: str) -> None:
    step = {**STEP, "name": "test", "env": {"A": "b"}, "timeoutSeconds": 5, "retries": {"limit": 1}}
    created = client.post(f"/api/projects/{project}/workflows", {"name": " ci ", "steps": [{**step, "unknown": 1}]})
    assert (created.status, created.body["name"]) == (201, "ci")
    assert set(created.body) == {"id", "projectId", "name", "createdAt", "updatedAt"}
    assert client.get(f"/api/projects/{project}/workflows").body == [created.body]
    assert client.get(f"/api/workflows/{created.body['id']}").body == {**created.body, "steps": [step]}


def test_workflows_are_listed_oldest_first(client: Client, project: str) -> None:
    made = [new_workflow(client, project, []) for _ in range(4)]
    assert [workflow["id"] for workflow in client.get(f"/api/projects/{project}/workflows").body] == made


def test_names_are_kept_trimmed(client: Client, project: str) -> None:
    steps = [{**STEP, "name": " a "}, {**STEP, "name": "b", "dependsOn": ["a "], "imageSlug": " alpine"}]
    shown = client.get(f"/api/workflows/{new_workflow(client, project, steps)}").body["steps"]
    assert [step["name"] for step in shown] == ["a", "b"]
    assert (shown[1]["dependsOn"], shown[1]["imageSlug"]) == (["a"], "alpine")


def test_a_dependency_named_twice_counts_once(client: Client, project: str) -> None:
    steps = [{**STEP, "name": "a"}, {**STEP, "name": "b", "dependsOn": ["a", "a", " a"]}]
    build = new_build(client, project, new_workflow(client, project, steps))
    runs = steps_of(client, build)
    assert client.post(f"/api/runner/{runs['a']['id']}/complete", {"status": "success"}).status == 200
    shown = steps_of(client, build)["b"]
    assert (shown["status"], shown["dependsOn"]) == ("READY", ["a"])


def test_a_workflow_larger_than_the_server_allows_is_refused(database_url: str, tmp_path: Path) -> None:
    limits = {"BUILDSERVER_MAX_STEPS": "2", "BUILDSERVER_MAX_EDGES": "1"}
    with served(database_url, tmp_path, **limits) as client:
        new_image(client)
        path = f"/api/projects/{new_project(client, 'rocket')}/workflows"
        a, b, c = ({**STEP, "name": name} for name in "abc")
        assert client.post(path, {"name": "ci", "steps": [a, {**b, "dependsOn": ["a"]}]}).status == 201
        for steps, code in (
            ([a, b, c], "too_many_steps"),
            ([a, {**b, "dependsOn": ["a"] * 2}], "too_many_dependencies"),
        ):
            refused(client, "POST", path, {"name": "ci", "steps": steps}, faults=[("steps", code)])
