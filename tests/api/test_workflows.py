"""Workflows: shown as they were posted, listed oldest first."""

from tests.api.served import Client
from tests.api.world import STEP, new_build, new_workflow, steps_of


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
    assert steps_of(client, build)["b"]["status"] == "READY"
