"""Builds that begin and end, told once each."""

from typing import Any

import pytest

from app.cli.build_feed import BuildFeed
from app.cli.client import ApiClient
from tests.cli.conftest import Script
from tests.cli.test_progress import FINISHED, build_json

CREATED, ENDED = "/api/audit-logs?action=build.created&limit=20", "/api/audit-logs?action=build.finished&limit=20"


def page(action: str, *ids: str) -> dict[str, Any]:
    return {"auditLogs": [{"id": each, "action": action, "details": {"buildId": "b1"}} for each in ids]}


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
        "build b1 begins: 0 steps  main",
        "build b1 FAILED in 6.0 s: 1 succeeded, 1 failed, 1 skipped",
    ]
    assert feed.news() == []


def test_a_server_that_is_away_is_no_news_and_nothing_is_missed(feed: BuildFeed, script: Script) -> None:
    script.answer("GET", CREATED, {"error": "away"}, status=503)
    script.answer("GET", CREATED, page("build.created", "03"))
    script.answer("GET", ENDED, page("build.finished"))
    assert feed.news() == []
    assert feed.news() == ["build b1 begins: 0 steps  main"]


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
    assert feed.news() == ["build b1 begins: 0 steps  main"]
