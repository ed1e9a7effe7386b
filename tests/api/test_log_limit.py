"""The server's own limit on what an attempt prints: cut off once, and whoever sends goes on to the end."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.models import LogChunk
from app.services import planning
from tests.api.served import Client, served
from tests.api.world import STEP

LIMIT_BYTES = 100
MARKER = "\n» the server cuts the log off here: its limit is 100 bytes\n".encode()


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[Client]:
    with served(database_url, tmp_path, BUILDSERVER_LOG_LIMIT_BYTES=str(LIMIT_BYTES)) as client:
        yield client


@pytest.fixture
def step(client: Client, project: str) -> str:
    """A step run that is being run, as its first attempt."""
    steps = [{**STEP, "name": "only"}]
    workflow = client.post(f"/api/projects/{project}/workflows", {"name": "ci", "steps": steps}).body["id"]
    build = client.post(f"/api/projects/{project}/builds", {"workflowId": workflow}).body["id"]
    client.database.transact(planning.plan, build)
    identifier: str = client.get(f"/api/builds/{build}").body["steps"][0]["id"]
    assert client.post(f"/api/runner/{identifier}/claim", {"runner": "r", "heartbeats": True}).status == 200
    return identifier


def append(client: Client, step: str, offset: int, content: bytes, attempt: int = 1) -> int:
    path = f"/api/runner/{step}/log?attempt={attempt}&offset={offset}"
    answer = client.send("PUT", path, content, Content_Type="application/octet-stream")
    assert answer.status == 200
    end: int = answer.body["offset"]
    return end


def log_of(client: Client, step: str) -> bytes:
    content: bytes = client.get(f"/api/steps/{step}/log").body
    return content


def stored_bytes(client: Client) -> int:
    return client.database.read(lambda session: sum(len(row.content) for row in session.query(LogChunk)))


def test_a_log_is_cut_off_at_the_limit_with_one_marker(client: Client, step: str) -> None:
    offset = 0
    for _ in range(5):
        offset = append(client, step, offset, b"x" * 40)
    assert offset == 200
    assert log_of(client, step) == b"x" * LIMIT_BYTES + MARKER
    assert stored_bytes(client) == LIMIT_BYTES + len(MARKER)


def test_a_log_of_exactly_the_limit_is_whole_and_has_no_marker(client: Client, step: str) -> None:
    assert append(client, step, 0, b"x" * LIMIT_BYTES) == LIMIT_BYTES
    assert append(client, step, LIMIT_BYTES, b"") == LIMIT_BYTES
    assert log_of(client, step) == b"x" * LIMIT_BYTES


def test_the_byte_after_the_limit_brings_the_marker(client: Client, step: str) -> None:
    append(client, step, 0, b"x" * LIMIT_BYTES)
    assert append(client, step, LIMIT_BYTES, b"y") == LIMIT_BYTES + 1
    assert log_of(client, step) == b"x" * LIMIT_BYTES + MARKER


def test_the_chunk_that_was_cut_may_be_sent_again(client: Client, step: str) -> None:
    append(client, step, 0, b"x" * 90)
    assert [append(client, step, 90, b"y" * 50) for _ in range(3)] == [140, 140, 140]
    assert log_of(client, step) == b"x" * 90 + b"y" * 10 + MARKER


def test_below_the_limit_a_gap_is_still_answered_with_where_to_go_on(client: Client, step: str) -> None:
    append(client, step, 0, b"x" * 10)
    assert append(client, step, 50, b"y" * 500) == 10
    assert log_of(client, step) == b"x" * 10


def test_the_logs_of_a_completion_are_cut_too(client: Client, step: str) -> None:
    append(client, step, 0, b"x" * 90)
    report = {"status": "success", "logs": "y" * 50}
    assert client.post(f"/api/runner/{step}/complete", report).status == 200
    assert log_of(client, step) == b"x" * 90 + b"y" * 10 + MARKER


def test_the_logs_of_a_completion_add_no_second_marker(client: Client, step: str) -> None:
    append(client, step, 0, b"x" * 150)
    assert client.post(f"/api/runner/{step}/complete", {"status": "success", "logs": "y"}).status == 200
    assert log_of(client, step) == b"x" * LIMIT_BYTES + MARKER


def test_each_attempt_has_the_whole_limit_to_itself(client: Client, step: str) -> None:
    append(client, step, 0, b"x" * 150)
    client.post(f"/api/runner/{step}/complete", {"status": "failed", "reason": "lost"})
    client.post(f"/api/runner/{step}/claim", {"runner": "r", "heartbeats": True, "attempt": 2})
    append(client, step, 0, b"y" * LIMIT_BYTES, attempt=2)
    assert log_of(client, step) == b"y" * LIMIT_BYTES


def test_reading_a_long_log_takes_the_memory_of_a_chunk(step: str, database_url: str, tmp_path: Path) -> None:
    chunk = bytes(1_000_000)
    with served(database_url, tmp_path, BUILDSERVER_LOG_LIMIT_BYTES="64 MiB") as roomy:
        for number in range(40):
            append(roomy, step, number * len(chunk), chunk)
        tracemalloc.start()
        try:
            with urllib3.PoolManager() as pool:
                response = pool.request("GET", f"{roomy.url}/api/steps/{step}/log", preload_content=False)
                total = sum(len(piece) for piece in response.stream(65536))
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert total == 40 * len(chunk)
    # Some chunks, on their way from the server to here; the log as a whole would show as twice its size.
    assert peak_bytes < total / 2


def test_nobody_else_can_add_to_an_ended_attempt(client: Client, step: str) -> None:
    append(client, step, 0, b"whole")
    client.post(f"/api/runner/{step}/complete", {"status": "success"})
    path = f"/api/runner/{step}/log?attempt=1&offset=5"
    answer = client.send("PUT", path, b"more", Content_Type="application/octet-stream")
    assert (answer.status, log_of(client, step)) == (409, b"whole")
    assert stored_bytes(client) == 5
