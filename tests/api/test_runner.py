"""The runner's calls: the script, the claim, the log and the report."""

import json

import pytest
from sqlalchemy import update

from app.domain.vocabulary import StepStatus
from app.models import StepRun
from tests.api.rows import all_rows, refused
from tests.api.served import Client
from tests.api.world import STEP, claim, complete, new_build, new_workflow, steps_of


@pytest.fixture
def step(client: Client, project: str, workflow: str) -> str:
    """A step run that is ready."""
    identifier: str = steps_of(client, new_build(client, project, workflow))["a"]["id"]
    return identifier


def test_the_script_is_plain_bash_and_asking_changes_nothing(client: Client, step: str) -> None:
    before = all_rows(client.database)
    first, second = (client.get(f"/api/runner/{step}") for _ in range(2))
    assert (first.status, first.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert first.body == second.body
    assert first.body.startswith(b"#!/usr/bin/env bash\n")
    assert all_rows(client.database) == before


def test_a_diamond_runs_to_its_end_by_the_contract_s_two_calls(client: Client, project: str, workflow: str) -> None:
    build = new_build(client, project, workflow)
    for name in "abcd":
        answer = complete(client, steps_of(client, build)[name]["id"], status="success", logs="done")
        assert answer.body == {"success": True, "stepStatus": "SUCCESS", "buildComplete": name == "d"}
    assert client.get(f"/api/builds/{build}").body["status"] == "SUCCESS"


@pytest.mark.parametrize("report", [{"status": "success"}, {"status": "failed", "exitCode": 3}], ids=str)
def test_the_same_report_twice_has_one_effect(client: Client, step: str, report: dict[str, object]) -> None:
    first = client.post(f"/api/runner/{step}/complete", report)
    before = all_rows(client.database)
    assert client.post(f"/api/runner/{step}/complete", report).body == first.body
    assert all_rows(client.database) == before


def test_a_report_repeated_late_gets_its_first_answer(client: Client, project: str) -> None:
    """One after which the step was tried again, one before others ended the build, and the one that ended it."""
    two = [{**STEP, "name": "a"}, {**STEP, "name": "b"}]
    build = new_build(client, project, new_workflow(client, project, two))
    a, b = (step["id"] for step in steps_of(client, build).values())
    lost, done = {"status": "failed", "reason": "lost", "handedBack": True}, {"status": "success"}
    reports = [(a, {**lost, "attempt": 1}), (b, {**done, "attempt": 1}), (a, {**done, "attempt": 2})]
    answers = []
    for step, report in reports:
        claim(client, step)
        answers.append(complete(client, step, **report).body)
        repeated = [complete(client, about, **said).body for about, said in reports[: len(answers)]]
        assert repeated == answers
    shown = [(answer["stepStatus"], answer["buildComplete"]) for answer in answers]
    assert shown == [("READY", False), ("SUCCESS", False), ("SUCCESS", True)]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (rb'{"status": "success", "logs": "a\u0000b"}', b"a\0b"),
        (rb'{"status": "success", "logs": "half \udcc3 of it"}', b"half \xc3 of it"),
        (b'{"status": "success", "logs": "half \xc3 of it"}', b"half \xc3 of it"),
        (rb'{"status": "success", "logs": "\ud83d\udca5"}', "💥".encode()),
        (rb'{"status": "success", "logs": "\ud800"}', "\ufffd".encode()),
        (b'{"status": "success", "logs": "\xff\xfe", "outputPaths": ["\xff", "\\u0000"]}', b"\xff\xfe"),
    ],
)
def test_a_log_of_any_bytes_is_kept_and_fails_nothing(client: Client, step: str, body: bytes, kept: bytes) -> None:
    assert client.send("POST", f"/api/runner/{step}/complete", body).status == 200
    assert client.get(f"/api/steps/{step}/log").body == kept


def test_an_attempt_is_claimed_by_one_runner(client: Client, step: str) -> None:
    asked = [
        ("one", {"key": "k"}),
        ("one", {"key": "k"}),
        ("one", {"key": "other"}),
        ("two", {"key": "k"}),
        ("one", {}),
    ]
    claims = [claim(client, step, name, heartbeats=True, **key) for name, key in asked]
    assert [answer.status for answer in claims] == [200, 200, 409, 409, 409]
    beat = client.post(f"/api/runner/{step}/heartbeat", {"runner": "one", "attempt": 1})
    assert beat.body == {"cancel": False, "leaseSeconds": 30.0}
    refused(client, "POST", f"/api/runner/{step}/heartbeat", {"runner": "two", "attempt": 1}, status=409)


def test_a_log_is_appended_by_offset_and_read_byte_for_byte(client: Client, step: str) -> None:
    claim(client, step)
    for offset, content, end in ((0, b"\xff\0a", 3), (0, b"\xff\0ab", 4), (9, b"lost", 4), (4, b"c", 5)):
        answer = client.send("PUT", f"/api/runner/{step}/log?attempt=1&offset={offset}", content)
        assert answer.body == {"offset": end}
    shown = client.get(f"/api/steps/{step}/log")
    assert (shown.body, shown.headers["Content-Type"]) == (b"\xff\0abc", "text/plain; charset=utf-8")


def test_a_move_that_no_table_knows_is_a_defect_of_ours(client: Client, step: str) -> None:
    """A row that no service would write: a step run that is RUNNING and has no attempt."""
    nonsense = update(StepRun).where(StepRun.id == step).values(status=StepStatus.RUNNING, started_at=StepRun.ready_at)
    client.database.transact(lambda session: session.execute(nonsense))
    answer = refused(client, "POST", f"/api/runner/{step}/complete", {"status": "success"}, status=500, faults=[])
    assert answer.body["error"].startswith("internal server error; ")


def test_an_attempt_handed_back_is_followed_by_the_next(client: Client, step: str) -> None:
    claim(client, step)
    report = {"status": "failed", "reason": "lost", "handedBack": True, "attempt": 1}
    assert complete(client, step, **report).body["stepStatus"] == "READY"
    claim(client, step)
    (first, second) = client.get(f"/api/steps/{step}/attempts").body
    assert (first["reason"], first["handedBack"], second["handedBack"]) == ("lost", True, False)
    assert client.get(f"/api/steps/{step}").body["attempt"] == 2


def test_the_audit_log_is_newest_first_and_filters(client: Client, project: str, workflow: str) -> None:
    build = new_build(client, project, workflow)
    complete(client, steps_of(client, build)["a"]["id"], status="failed")
    page = client.get(f"/api/audit-logs?projectId={project}").body
    ids = [entry["id"] for entry in page["auditLogs"]]
    assert ids == sorted(ids, reverse=True)
    assert (page["auditLogs"][0]["action"], page["pagination"]["total"]) == ("build.finished", len(ids))
    assert client.get("/api/audit-logs?action=step.skipped").body["pagination"]["total"] == 3
    assert client.get("/api/audit-logs?action=nothing.known").body["auditLogs"] == []
    assert "null" not in json.dumps(page)
