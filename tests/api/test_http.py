"""What holds for every request: its id, its line in the log, HEAD and OPTIONS, and paths with a slash at the end."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.rows import all_rows
from tests.api.world import World


def test_every_answer_has_an_id_of_its_own_errors_too(world: World) -> None:
    paths = ("/api/projects?accountId=acme", "/api/projects", "/nowhere", "/healthz", "/docs/", "/openapi.json")
    ids = [world.client.get(path).headers["X-Request-Id"] for path in paths for _ in range(2)]
    assert len(set(ids)) == len(ids)


def test_no_answer_is_taken_for_another_type_than_it_says(world: World) -> None:
    paths = ("/api/projects", f"/api/runner/{world.steps['a']}", f"/api/steps/{world.steps['a']}/log", "/docs/")
    assert {world.client.get(path).headers["X-Content-Type-Options"] for path in paths} == {"nosniff"}


def test_head_is_get_without_the_body(world: World) -> None:
    for path in (f"/api/projects/{world.project}/builds", f"/api/runner/{world.steps['a']}", "/healthz"):
        answer = world.client.send("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["Content-Length"] == world.client.get(path).headers["Content-Length"]


def test_options_says_which_methods_there_are(world: World) -> None:
    answer = world.client.send("OPTIONS", f"/api/projects/{world.project}/builds")
    assert (answer.status, {"GET", "HEAD", "OPTIONS", "POST"}) == (200, set(answer.headers["Allow"].split(", ")))


def test_a_slash_at_the_end_makes_no_difference(world: World) -> None:
    for path in ("/api/docker-images", f"/api/builds/{world.build}", f"/api/runner/{world.steps['a']}", "/docs"):
        assert world.client.get(path + "/").body == world.client.get(path).body != b""


def test_a_write_leaves_a_line_in_the_log_with_its_id_and_no_query(
    world: World, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = world.client.post("/api/projects?token=secret", {"accountId": "acme"})
    (line,) = [line for line in logged() if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/projects", 400)
    assert (line["level"], line["request_id"]) == ("info", answer.headers["X-Request-Id"])
    assert line["took_ms"] >= 0


@pytest.mark.parametrize(("level", "levels"), [(logging.INFO, []), (logging.DEBUG, ["debug"] * 4)])
def test_reads_and_what_a_running_step_sends_are_logged_for_debugging_only(
    world: World, logged: Callable[[], list[dict[str, Any]]], level: int, levels: list[str]
) -> None:
    logging.getLogger().setLevel(level)
    running = f"/api/runner/{world.steps['a']}"
    world.client.get("/api/docker-images")
    world.client.send("HEAD", "/healthz")
    world.client.post(f"{running}/heartbeat", {"runner": "one", "attempt": 1})
    world.client.send("PUT", f"{running}/log?attempt=1&offset=0", b"x")
    assert [line["level"] for line in logged() if line["event"] == "request"] == levels


def test_a_line_break_in_a_path_begins_no_line_of_the_log(
    world: World, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    before = all_rows(world.client.database)
    assert world.client.post("/api/%0aforged", {}).status == 404
    (line,) = [line for line in logged() if line["event"] == "request"]
    assert line["path"] == "/api/%0Aforged"
    assert all_rows(world.client.database) == before
