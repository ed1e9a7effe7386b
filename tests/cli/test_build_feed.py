"""Builds that begin and end, told once each."""

from typing import Any

import pytest

from app.cli.build_feed import BuildFeed
from app.cli.client import ApiClient
from tests.cli.test_progress import FINISHED, build_json
from tests.support.scripted_server import Script

AT = "2026-01-01T00:00:00Z"
PROJECT = "/api/audit-logs?projectId=p&action=project.created&limit=1"
CREATED, ENDED = (
    "/api/audit-logs?action=build.created&limit=20&offset=0",
    "/api/audit-logs?action=build.finished&limit=20&offset=0",
)


def page(action: str, *ids: str) -> dict[str, Any]:
    return {
        "auditLogs": [{"id": each, "action": action, "createdAt": AT, "details": {"buildId": "b1"}} for each in ids]
    }


@pytest.fixture(autouse=True)
def names(script: Script) -> None:
    script.answer("GET", PROJECT, {"auditLogs": [{"details": {"name": "shop"}}]})
    script.answer("GET", "/api/workflows/w", {"name": "flow"})


@pytest.fixture
def feed(client: ApiClient, script: Script) -> BuildFeed:
    """Made when one build had been created, and none had ended."""
    script.answer("GET", CREATED, page("build.created", "01"))
    script.answer("GET", ENDED, page("build.finished"))
    script.answer("GET", "/api/builds/b1", {**build_json("PENDING"), "branch": "main"})
    script.answer("GET", "/api/builds/b1", FINISHED)
    made = BuildFeed(client)
    del script.answers["GET", CREATED], script.answers["GET", ENDED]
    return made


def test_only_what_happens_from_now_on_is_told_and_once(feed: BuildFeed, script: Script) -> None:
    script.answer("GET", CREATED, page("build.created", "03", "01"))
    script.answer("GET", ENDED, page("build.finished", "05"))
    assert feed.news() == [
        "shop / flow  b1  begins: 0 steps  main",
        "shop / flow  b1  FAILED in 6.0 s: 1 succeeded, 1 failed, 1 skipped",
    ]
    assert feed.news() == []


def test_a_server_that_is_away_is_no_news_and_nothing_is_missed(feed: BuildFeed, script: Script) -> None:
    script.answer("GET", CREATED, {"error": "away"}, status=503)
    script.answer("GET", CREATED, page("build.created", "03"))
    script.answer("GET", ENDED, page("build.finished"))
    assert feed.news() == []
    assert feed.news() == ["shop / flow  b1  begins: 0 steps  main"]


def test_a_server_that_is_away_when_it_begins_is_awaited_and_what_it_tells_first_is_old(
    client: ApiClient, script: Script
) -> None:
    script.answer("GET", CREATED, {"error": "away"}, status=503)
    script.answer("GET", CREATED, page("build.created", "01"))
    script.answer("GET", CREATED, page("build.created", "03", "01"))
    script.answer("GET", ENDED, page("build.finished"))
    script.answer("GET", "/api/builds/b1", {**build_json("PENDING"), "branch": "main"})
    feed = BuildFeed(client)
    assert feed.news() == []
    assert feed.news() == ["shop / flow  b1  begins: 0 steps  main"]


def test_a_build_that_cannot_be_asked_for_is_told_of_the_next_time(feed: BuildFeed, script: Script) -> None:
    script.answer("GET", CREATED, page("build.created", "03", "01"))
    script.answer("GET", ENDED, page("build.finished"))
    script.answers["GET", "/api/builds/b1"].insert(0, (503, b'{"error": "away"}'))
    assert feed.news() == []
    assert feed.news() == ["shop / flow  b1  begins: 0 steps  main"]


def test_names_are_asked_for_once(feed: BuildFeed, script: Script) -> None:
    script.answer("GET", CREATED, page("build.created", "03", "02", "01"))
    script.answer("GET", ENDED, page("build.finished"))
    assert len(feed.news()) == 2
    assert [request.path for request in script.received].count(PROJECT) == 1
