"""Requests of the right shape that ask for what cannot be: refused by path and code, and no row changes."""

from itertools import pairwise
from typing import Any

import pytest

from tests.api.rows import refused
from tests.api.world import NOBODY, STEP, World

LONG = "x" * 101
PROJECTS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": " \t\n "}, "name"),
    ({"name": LONG}, "name"),
    ({"accountId": ""}, "accountId"),
    ({"accountId": "\u2003"}, "accountId"),
]
IMAGES: list[tuple[dict[str, Any], str]] = [
    ({"slug": ""}, "slug"),
    ({"slug": "  "}, "slug"),
    ({"slug": "x" * 51}, "slug"),
    ({"imageUrl": ""}, "imageUrl"),
    ({"imageUrl": "-v/:/host"}, "imageUrl"),
    ({"imageUrl": "alpine\n"}, "imageUrl"),
    ({"imageUrl": "docker://a b"}, "imageUrl"),
    ({"public": "yes"}, "public"),
    ({"public": 1}, "public"),
    ({"public": None}, "public"),
]
BUILDS: list[tuple[dict[str, Any], str]] = [
    *(({"repoUrl": url}, "repoUrl") for url in ("", "EXT::sh", "fd::1", "File:///x", "file:///x", "-u", "git@h:-x")),
    *(({"repoUrl": url}, "repoUrl") for url in ("https://h/\n", "https://-x/y", "ssh://u@-x/y", "/etc", None, 5)),
    *(({"commitHash": commit}, "commitHash") for commit in ("", "abc", "g" * 40, "a" * 65, "--x", "HEAD", "abcdefg")),
    *(({"branch": branch}, "branch") for branch in ("", "-x", "--upload-pack=x", "a..b", "a b", "a.lock", "@", "a\n")),
    *(({field: "x" * 20_001}, field) for field in ("commitMessage", "commitAuthor")),
    ({"commitMessage": None}, "commitMessage"),
    ({"commitAuthor": ["me"]}, "commitAuthor"),
    ({"workflowId": ""}, "workflowId"),
]
STEPS: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "invalid"),
    ({"name": "  "}, "name", "invalid"),
    ({"name": LONG}, "name", "invalid"),
    ({"imageSlug": ""}, "imageSlug", "invalid"),
    ({"imageSlug": "nope"}, "imageSlug", "unknown_image"),
    ({"dependsOn": ["x"]}, "dependsOn[0]", "unknown_dependency"),
    ({"dependsOn": ["test"]}, "dependsOn[0]", "self_dependency"),
    ({"dependsOn": [" test "]}, "dependsOn[0]", "self_dependency"),
    ({"dependsOn": [5]}, "dependsOn[0]", "invalid"),
    ({"dependsOn": "test"}, "dependsOn", "invalid"),
    ({"runScript": ""}, "runScript", "invalid"),
    ({"runScript": "a\0b"}, "runScript", "invalid"),
    ({"cacheDirs": ["/etc"]}, "cacheDirs[0]", "invalid"),
    ({"cacheDirs": ["ok", "~/../x"]}, "cacheDirs[1]", "invalid"),
    ({"outputPaths": ["../x"]}, "outputPaths[0]", "invalid"),
    ({"outputPaths": ["-rf"]}, "outputPaths[0]", "invalid"),
    ({"env": {"A B": "x"}}, "env.A B.key", "invalid"),
    ({"env": {"PPID": "1"}}, "env.PPID.key", "invalid"),
    ({"env": {"value": "\0"}}, "env.value", "invalid"),
    ({"env": {"A": 5}}, "env.A", "invalid"),
    ({"env": ["A=b"]}, "env", "invalid"),
    ({"timeoutSeconds": "5"}, "timeoutSeconds", "invalid"),
    ({"timeoutSeconds": 5.0}, "timeoutSeconds", "invalid"),
    ({"timeoutSeconds": True}, "timeoutSeconds", "invalid"),
    ({"timeoutSeconds": 0}, "timeoutSeconds", "invalid"),
    ({"timeoutSeconds": 10**30}, "timeoutSeconds", "invalid"),
    ({"retries": 1}, "retries", "invalid"),
    ({"retries": {}}, "retries.limit", "invalid"),
    ({"retries": {"limit": -1}}, "retries.limit", "invalid"),
    ({"retries": {"limit": 1, "reasons": ["config"]}}, "retries.reasons[0]", "invalid"),
    ({"pool": "GPU"}, "pool", "invalid"),
    ({"pool": "default\n"}, "pool", "invalid"),
    ({"allowFailure": "yes"}, "allowFailure", "invalid"),
    ({"runIf": "sometimes"}, "runIf", "invalid"),
]
QUERIES = [
    ("/api/projects?accountId=%00", "accountId"),
    ("/api/docker-images?public=maybe", "public"),
    ("/api/docker-images?public=", "public"),
    ("/api/runner/{a}?part=all", "part"),
    ("/api/steps/{a}/log?attempt=0", "attempt"),
    ("/api/steps/{a}/log?attempt=1.0", "attempt"),
    ("/api/audit-logs?action=%00", "action"),
    *((f"/api/audit-logs?limit={bad}", "limit") for bad in ("0", "-1", "x", "1.5", "", "1e3", "%D9%A1", "0x10")),
    *((f"/api/projects/{{project}}/builds?offset={bad}", "offset") for bad in ("-1", "x", "1.5", "", "null")),
]


def posted(changes: dict[str, Any], *more: dict[str, Any]) -> dict[str, Any]:
    return {"name": "ci", "steps": [{**STEP, "name": "test", **changes}, *more]}


@pytest.mark.parametrize(("changes", "path"), PROJECTS, ids=str)
def test_a_project_that_cannot_be(world: World, changes: dict[str, Any], path: str) -> None:
    body = {"accountId": "acme", "name": "rocket", **changes}
    refused(world.client, "POST", "/api/projects", body, faults=[(path, "invalid")])


@pytest.mark.parametrize(("changes", "path"), IMAGES, ids=str)
def test_an_image_that_cannot_be(world: World, changes: dict[str, Any], path: str) -> None:
    body = {"slug": "new", "imageUrl": "alpine", **changes}
    refused(world.client, "POST", "/api/docker-images", body, faults=[(path, "invalid")])


@pytest.mark.parametrize(("changes", "path"), BUILDS, ids=lambda value: str(value)[:60])
def test_a_build_that_cannot_be(world: World, changes: dict[str, Any], path: str) -> None:
    body = {"workflowId": world.workflow, **changes}
    refused(world.client, "POST", f"/api/projects/{world.project}/builds", body, faults=[(path, "invalid")])


@pytest.mark.parametrize(("changes", "path", "code"), STEPS, ids=lambda value: str(value)[:60])
def test_a_step_that_cannot_be(world: World, changes: dict[str, Any], path: str, code: str) -> None:
    where = f"/api/projects/{world.project}/workflows"
    refused(world.client, "POST", where, posted(changes), faults=[(f"steps[0].{path}", code)])


@pytest.mark.parametrize(("path", "where"), QUERIES)
def test_a_query_that_cannot_be(world: World, path: str, where: str) -> None:
    refused(world.client, "GET", path.format(**world.names()), faults=[(where, "invalid")])


def test_a_circle_of_steps_is_spelled_out_in_order(world: World) -> None:
    circle = {"a": ["b"], "b": ["c"], "c": ["a"], "free": []}
    steps = [{**STEP, "name": name, "dependsOn": needs} for name, needs in circle.items()]
    body = {"name": "ci", "steps": steps}
    answer = refused(world.client, "POST", f"/api/projects/{world.project}/workflows", body)
    (fault,) = answer.body["details"]
    spelled = fault["message"].rpartition(": ")[2].split(" → ")
    assert (fault["code"], len(spelled), spelled[0]) == ("cycle", 4, spelled[-1])
    assert all(later in circle[earlier] for earlier, later in pairwise(spelled))
    assert fault["path"] == f"steps[{list(circle).index(spelled[0])}].dependsOn"


def test_names_are_compared_after_trimming_and_every_fault_is_named(world: World) -> None:
    body = posted({}, {**STEP, "name": " test "}, {**STEP, "name": "x", "dependsOn": ["nope"], "imageSlug": "none"})
    faults = [
        ("steps[1].name", "duplicate_name"),
        ("steps[2].dependsOn[0]", "unknown_dependency"),
        ("steps[2].imageSlug", "unknown_image"),
    ]
    refused(world.client, "POST", f"/api/projects/{world.project}/workflows", body, faults=faults)


@pytest.mark.parametrize("unknown", [NOBODY, "x", "%00", "..%2f", "%F0%9F%92%A5", "1" * 5_000])
def test_what_belongs_to_nobody_is_404(world: World, unknown: str) -> None:
    body = {"name": "x", "steps": [], "workflowId": world.workflow, "status": "success", "runner": "r", "attempt": 1}
    for path in ("projects/{}/workflows", "projects/{}/builds", "workflows/{}", "builds/{}", "runner/{}", "steps/{}"):
        refused(world.client, "GET", f"/api/{path.format(unknown)}", status=404)
    for path in ("projects/{}/workflows", "projects/{}/builds", "runner/{}/complete", "runner/{}/claim"):
        refused(world.client, "POST", f"/api/{path.format(unknown)}", body, status=404)
    refused(world.client, "POST", f"/api/runner/{unknown}/heartbeat", body, status=404)
    refused(world.client, "PUT", f"/api/runner/{unknown}/log?attempt=1&offset=0", b"x", status=404)


def test_what_is_missing_is_called_what_the_document_calls_it(world: World) -> None:
    kinds = {"projects/{}/builds": "Project", "workflows/{}": "Workflow", "builds/{}": "Build", "steps/{}": "Step run"}
    for path, kind in {**kinds, "runner/{}": "Step run"}.items():
        for unknown in (NOBODY, "x"):
            answer = refused(world.client, "GET", f"/api/{path.format(unknown)}", status=404)
            assert answer.body == {"error": f"{kind} not found"}


def test_a_workflow_of_another_project_is_like_none(world: World) -> None:
    path = f"/api/projects/{world.project}/builds"
    answers = [
        refused(world.client, "POST", path, {"workflowId": workflow}, status=404).body
        for workflow in (world.other_workflow, NOBODY, "x", "x" * 5_000)
    ]
    assert answers == [{"error": "Workflow not found"}] * 4


def test_what_is_too_long_too_large_or_too_small_is_told_in_one_voice(world: World) -> None:
    posted = [
        ("projects", {"accountId": "a", "name": ""}, "name", "must have 1 to 100 characters"),
        ("projects", {"accountId": "a", "name": "x" * 101}, "name", "must have 1 to 100 characters"),
        ("projects", {"accountId": "a", "name": "\u001c" + "x" * 100}, "name", "must have 1 to 100 characters"),
        (
            f"runner/{world.steps['a']}/complete",
            {"status": "success", "attempt": 0},
            "attempt",
            "must be 1 to 2147483647",
        ),
    ]
    for path, body, field, message in posted:
        (fault,) = refused(world.client, "POST", f"/api/{path}", body).body["details"]
        assert (fault["path"], fault["message"]) == (field, message)


def test_an_idempotency_key_that_cannot_be(world: World) -> None:
    path, body = f"/api/projects/{world.project}/builds", {"workflowId": world.workflow}
    for key in ("", "x" * 256):
        refused(world.client, "POST", path, body, faults=[("Idempotency-Key", "invalid")], Idempotency_Key=key)
