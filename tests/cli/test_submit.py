"""From a workflow file to a build: what is posted, and what is used again."""

from typing import Any

import pytest

from app.cli.client import ApiClient
from app.cli.errors import Refused
from app.cli.git_source import Source
from app.cli.images import distinct_slug, plain_slug, register_images
from app.cli.submit import submit
from app.cli.workflow_file import WorkflowFile
from app.domain.limits import SLUG_LENGTH
from tests.support.scripted_server import Script

STEP = {"name": "a", "runScript": "true", "image": "alpine:3.20", "dependsOn": [], "cacheDirs": [], "outputPaths": []}
POSTED = {**{field: value for field, value in STEP.items() if field != "image"}, "imageSlug": "alpine-3.20"}
FILE = WorkflowFile("flow", (STEP,))
IMAGES, PROJECTS, LOCAL = "/api/docker-images", "/api/projects", "/api/projects?accountId=local"
WORKFLOWS, BUILDS = "/api/projects/p/workflows", "/api/projects/p/builds"
BUILD: dict[str, Any] = {
    "id": "b",
    "projectId": "p",
    "workflowId": "w",
    "status": "PENDING",
    "createdAt": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def empty(script: Script) -> Script:
    """A server that has nothing yet and takes everything."""
    for path in (IMAGES, LOCAL, WORKFLOWS):
        script.answer("GET", path, [])
    script.answer("POST", IMAGES, {}, status=201)
    script.answer("POST", PROJECTS, {"id": "p", "name": "shop"}, status=201)
    script.answer("POST", WORKFLOWS, {"id": "w", "name": "flow"}, status=201)
    script.answer("POST", BUILDS, BUILD, status=201)
    return script


def test_image_project_workflow_and_build_are_posted(client: ApiClient, empty: Script) -> None:
    source = Source("shop", {"repoUrl": "https://example.org/shop.git", "branch": "main"})
    assert submit(client, FILE, "local", "shop", source).id == "b"
    assert empty.sent("POST", IMAGES) == [{"slug": "alpine-3.20", "imageUrl": "alpine:3.20"}]
    assert empty.sent("POST", PROJECTS) == [{"accountId": "local", "name": "shop"}]
    assert empty.sent("POST", WORKFLOWS) == [{"name": "flow", "steps": [POSTED]}]
    assert empty.sent("POST", BUILDS) == [{"workflowId": "w", **source.fields}]


def test_what_is_there_already_is_used_again(client: ApiClient, script: Script) -> None:
    script.answer("GET", IMAGES, [{"slug": "alpine-3.20", "imageUrl": "alpine:3.20"}])
    script.answer("GET", LOCAL, [{"id": "p", "name": "shop"}])
    script.answer("GET", WORKFLOWS, [{"id": "old", "name": "flow"}, {"id": "w", "name": "flow"}])
    script.answer("GET", "/api/workflows/w", {"id": "w", "name": "flow", "steps": [POSTED]})
    script.answer("POST", BUILDS, BUILD, status=201)
    submit(client, FILE, "local", "shop", None)
    assert [request.path for request in script.received if request.method == "POST"] == [BUILDS]
    assert script.sent("POST", BUILDS) == [{"workflowId": "w"}]


def test_a_workflow_whose_steps_changed_is_posted_anew(client: ApiClient, empty: Script) -> None:
    empty.answers["GET", WORKFLOWS].clear()
    empty.answer("GET", WORKFLOWS, [{"id": "old", "name": "flow"}])
    empty.answer("GET", "/api/workflows/old", {"id": "old", "name": "flow", "steps": []})
    submit(client, FILE, "local", "shop", None)
    assert empty.sent("POST", BUILDS) == [{"workflowId": "w"}]


def test_every_build_has_a_key_of_its_own(client: ApiClient, empty: Script) -> None:
    submit(client, FILE, "local", "shop", None)
    submit(client, FILE, "local", "shop", None)
    keys = {request.idempotency_key for request in empty.received if request.path == BUILDS}
    assert len(keys) == 2
    assert None not in keys


def test_an_image_keeps_the_slug_it_has(client: ApiClient, script: Script) -> None:
    script.answer("GET", IMAGES, [{"slug": "mine", "imageUrl": "alpine:3.20"}])
    assert register_images(client, ["alpine:3.20"]) == {"alpine:3.20": "mine"}
    assert script.sent("POST", IMAGES) == []


def test_a_slug_that_stands_for_another_image_is_not_used(client: ApiClient, script: Script) -> None:
    script.answer("GET", IMAGES, [{"slug": "alpine-3.20", "imageUrl": "other"}])
    script.answer("POST", IMAGES, {"error": "slug is taken"}, status=409)
    script.answer("POST", IMAGES, {}, status=201)
    slug = distinct_slug("alpine:3.20")
    assert register_images(client, ["alpine:3.20"]) == {"alpine:3.20": slug}
    assert [image["slug"] for image in script.sent("POST", IMAGES)] == ["alpine-3.20", slug]


def test_an_image_that_somebody_else_registers_meanwhile_is_fine(client: ApiClient, script: Script) -> None:
    script.answer("GET", IMAGES, [])
    script.answer("GET", IMAGES, [{"slug": "alpine-3.20", "imageUrl": "alpine:3.20"}])
    script.answer("POST", IMAGES, {"error": "slug is taken"}, status=409)
    assert register_images(client, ["alpine:3.20"]) == {"alpine:3.20": "alpine-3.20"}


def test_an_image_that_the_server_refuses_ends_it(client: ApiClient, script: Script) -> None:
    script.answer("GET", IMAGES, [])
    script.answer("POST", IMAGES, {"error": "no"}, status=400)
    with pytest.raises(Refused):
        register_images(client, ["alpine:3.20"])


def test_slugs_are_short_and_told_apart() -> None:
    long_name = "registry.example/" + "a" * 80
    assert len(plain_slug(long_name)) == len(distinct_slug(long_name)) == SLUG_LENGTH
    assert distinct_slug(long_name + "1") != distinct_slug(long_name + "2")
