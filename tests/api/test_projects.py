"""Projects and images: created, listed oldest first, and a slug taken once."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from app.models import DockerImage, Project
from tests.api.rows import refused
from tests.api.served import Answer, Client
from tests.api.world import new_project

SIMULTANEOUS = 6


def at_once(ask: Any) -> list[Answer]:
    """The answers to the same request, sent by several threads at one moment."""
    barrier, answers = threading.Barrier(SIMULTANEOUS), list[Answer]()

    def send() -> None:
        barrier.wait()
        answers.append(ask())

    threads = [threading.Thread(target=send) for _ in range(SIMULTANEOUS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_projects_are_created_and_listed_by_account(client: Client) -> None:
    created = client.post("/api/projects", {"accountId": " acme ", "name": " rocket "})
    assert (created.status, created.body["name"], created.body["accountId"]) == (201, "rocket", "acme")
    assert set(created.body) == {"id", "accountId", "name", "createdAt", "updatedAt"}
    assert client.get("/api/projects?accountId=acme").body == [created.body]
    assert client.get("/api/projects?accountId=other").body == []


def test_projects_are_listed_oldest_first_also_those_of_one_moment(client: Client) -> None:
    made = [new_project(client, "same") for _ in range(5)]
    moment = update(Project).values(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    client.database.transact(lambda session: session.execute(moment))
    assert [project["id"] for project in client.get("/api/projects?accountId=acme").body] == made == sorted(made)


def test_times_are_rfc_3339_in_utc(client: Client) -> None:
    body = client.post("/api/projects", {"accountId": "acme", "name": "rocket"}).body
    moment = datetime.fromisoformat(body["createdAt"])
    assert moment.utcoffset() == timedelta(0)
    assert "T" in body["createdAt"]


def test_images_are_registered_and_listed_oldest_first(client: Client) -> None:
    public = client.post("/api/docker-images", {"slug": " z ", "imageUrl": "docker://python:3.12", "public": True})
    own = client.post("/api/docker-images", {"slug": "a", "imageUrl": "alpine"})
    assert (public.status, public.body["slug"], public.body["public"], own.body["public"]) == (201, "z", True, False)
    moment = update(DockerImage).values(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    client.database.transact(lambda session: session.execute(moment))
    assert [image["slug"] for image in client.get("/api/docker-images").body] == ["z", "a"]
    for word, slugs in (("true", ["z"]), ("1", ["z"]), ("false", ["z", "a"]), ("0", ["z", "a"])):
        assert [image["slug"] for image in client.get(f"/api/docker-images?public={word}").body] == slugs


def test_a_slug_is_taken_once(client: Client) -> None:
    client.post("/api/docker-images", {"slug": "python", "imageUrl": "python"})
    body = {"slug": " python", "imageUrl": "other"}
    refused(client, "POST", "/api/docker-images", body, status=409, faults=[("", "slug_taken")])


def test_of_simultaneous_requests_for_a_slug_one_gets_it(client: Client) -> None:
    answers = at_once(lambda: client.post("/api/docker-images", {"slug": "python", "imageUrl": "python"}))
    assert sorted(answer.status for answer in answers) == [201, *[409] * (SIMULTANEOUS - 1)]
    assert len(client.get("/api/docker-images").body) == 1
    assert client.audit_entries() == 1
