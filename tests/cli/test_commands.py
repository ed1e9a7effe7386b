"""The commands as they are called: exit status, one clear line, nothing of a traceback."""

import json
from pathlib import Path

import pytest

from app.cli.client import ApiClient
from app.cli.main import main
from tests.cli.test_progress import FINISHED, build_json, step_json
from tests.support.scripted_server import Script

Captured = pytest.CaptureFixture[str]


def one_line_on_stderr(capsys: Captured) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.fixture
def workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flow.yml"
    path.write_text("steps:\n- name: a\n  run: 'true'\n")
    return path


@pytest.fixture
def accepting(script: Script, tmp_path: Path) -> Script:
    """A server with one image, one project named like the folder, and a build that has ended."""
    for path in ("/api/docker-images", "/api/projects/p/workflows"):
        script.answer("GET", path, [])
    script.answer("GET", "/api/projects?accountId=local", [{"id": "p", "name": tmp_path.name}])
    script.answer("POST", "/api/docker-images", {}, status=201)
    script.answer("POST", "/api/projects/p/workflows", {"id": "w", "name": "flow"}, status=201)
    script.answer("POST", "/api/projects/p/builds", build_json("PENDING"), status=201)
    return script


def test_a_server_that_cannot_be_reached_is_exit_3(workflow: Path, capsys: Captured) -> None:
    assert main(["run", str(workflow), "--server", "http://127.0.0.1:9"]) == 3
    assert one_line_on_stderr(capsys).startswith("buildserver: no Build Server answers at http://127.0.0.1:9 (")


@pytest.mark.parametrize(
    ("command", "status"), [(["nonsense"], 2), (["run"], 2), (["--help"], 0), (["up", "--port", "x"], 2)]
)
def test_a_command_line_that_is_wrong_is_exit_2(command: list[str], status: int) -> None:
    assert main(command) == status


def test_a_wrong_file_is_exit_2_and_nothing_is_sent(
    tmp_path: Path, client: ApiClient, script: Script, capsys: Captured
) -> None:
    path = tmp_path / "flow.yml"
    path.write_text("steps:\n- name: a\n")
    assert main(["run", str(path), "--server", client.server_url]) == 2
    assert one_line_on_stderr(capsys) == f"{path}:2:3: steps[0].run: is missing; a step needs it\n"
    assert script.received == []


def test_validate_names_each_file(workflow: Path, tmp_path: Path, capsys: Captured) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("step: []")
    assert main(["validate", str(workflow), str(wrong)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{workflow}: fine: workflow 'flow', 1 step",
        f"{wrong}:1:1: step: unknown field; did you mean 'steps'?",
        f"{wrong}:1:1: steps: is missing; a workflow needs it",
    ]


@pytest.mark.parametrize(("outcome", "status"), [("SUCCESS", 0), ("FAILED", 1)])
def test_run_exits_as_the_build_ends(
    workflow: Path, client: ApiClient, accepting: Script, capsys: Captured, outcome: str, status: int
) -> None:
    accepting.answer("GET", "/api/builds/b1", build_json(outcome, step_json("a", outcome)))
    assert main(["run", str(workflow), "--server", client.server_url]) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "build b1"
    assert lines[-1].startswith(f"{outcome} in 6.0 s")


def test_run_says_that_there_is_no_repository_to_build(
    workflow: Path, client: ApiClient, accepting: Script, capsys: Captured
) -> None:
    accepting.answer("GET", "/api/builds/b1", build_json("SUCCESS", step_json("a", "SUCCESS")))
    assert main(["run", str(workflow), "--server", client.server_url]) == 0
    assert capsys.readouterr().out.splitlines()[2] == (
        "no git repository here: the steps start in empty folders; --repo names one to build"
    )


def test_a_build_that_is_not_there_is_named(client: ApiClient, capsys: Captured) -> None:
    assert main(["show", "123", "--server", client.server_url]) == 3
    assert one_line_on_stderr(capsys) == (
        f"buildserver: no build '123' at {client.server_url}; `buildserver builds` lists them\n"
    )


def test_run_as_json_has_nothing_else_on_stdout(
    workflow: Path, client: ApiClient, accepting: Script, capsys: Captured
) -> None:
    finished = build_json("SUCCESS", step_json("a", "SUCCESS"))
    accepting.answer("GET", "/api/builds/b1", finished)
    assert main(["run", str(workflow), "--server", client.server_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == finished


def test_builds_are_listed_newest_first_over_all_projects(client: ApiClient, script: Script, capsys: Captured) -> None:
    script.answer("GET", "/api/projects?accountId=local", [{"id": "p", "name": "one"}, {"id": "q", "name": "two"}])
    older = {**build_json("SUCCESS"), "id": "older", "createdAt": "2025-01-01T00:00:00Z"}
    newer = {**build_json("FAILED"), "id": "newer", "projectId": "q", "branch": "main", "commitHash": "1234567890"}
    script.answer("GET", "/api/projects/p/builds?limit=20", {"builds": [older]})
    script.answer("GET", "/api/projects/q/builds?limit=20", {"builds": [newer]})
    assert main(["builds", "--server", client.server_url]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[1], row[4], row[5]) for row in rows] == [
        ("newer", "FAILED", "two", "main@1234567"),
        ("older", "SUCCESS", "one", ""),
    ]


def test_an_unknown_project_gets_a_suggestion(client: ApiClient, script: Script, capsys: Captured) -> None:
    script.answer("GET", "/api/projects?accountId=local", [{"id": "p", "name": "webshop"}])
    assert main(["builds", "--project", "webshp", "--server", client.server_url]) == 2
    assert one_line_on_stderr(capsys) == (
        "buildserver: the account 'local' has no project 'webshp'; did you mean 'webshop'?\n"
    )


def test_builds_of_another_account_are_listed_when_it_is_named(
    client: ApiClient, script: Script, capsys: Captured
) -> None:
    script.answer("GET", "/api/projects?accountId=acme", [{"id": "p", "name": "one"}])
    script.answer("GET", "/api/projects/p/builds?limit=20", {"builds": [build_json("SUCCESS")]})
    assert main(["builds", "--account", "acme", "--server", client.server_url]) == 0
    assert "one" in capsys.readouterr().out
    assert main(["builds", "--account", "acme", "--project", "two", "--server", client.server_url]) == 2
    assert "the account 'acme' has no project 'two'; --account names another one" in capsys.readouterr().err


def test_show_lists_steps_and_earlier_attempts(client: ApiClient, script: Script, capsys: Captured) -> None:
    build = build_json("SUCCESS", step_json("a", "SUCCESS", 3, 5, attempt=2))
    lost = {"attempt": 1, "status": "FAILED", "reason": "lost", "runner": "box", "startedAt": "2026-01-01T00:00:00Z"}
    script.answer("GET", "/api/builds/b1", build)
    script.answer(
        "GET", "/api/steps/id-a/attempts", [{**lost, "finishedAt": "2026-01-01T00:00:02Z"}, {**lost, "attempt": 2}]
    )
    assert main(["show", "b1", "--server", client.server_url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "build b1",
        "SUCCESS    a        2.0 s  attempt 2",
        "    attempt 1: FAILED (lost) after 2.0 s on box",
        "SUCCESS in 6.0 s: 1 succeeded",
    ]


def test_show_says_of_a_step_that_no_runner_takes(client: ApiClient, script: Script, capsys: Captured) -> None:
    ready = step_json("bench", "READY", None, None, pool="big", readyAt="2026-01-01T00:00:00Z")
    script.answer("GET", "/api/builds/b1", build_json("PENDING", ready))
    assert main(["show", "b1", "--server", client.server_url]) == 0
    assert "for a runner of pool big, and none has taken it" in capsys.readouterr().out.splitlines()[-1]


def test_logs_are_the_bytes_that_were_printed(
    client: ApiClient, script: Script, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    script.answer("GET", "/api/builds/b1", FINISHED)
    script.answer("GET", "/api/steps/id-compile/log", b"\x00\xff\x1b[0m no newline")
    assert main(["logs", "b1", "compile", "--server", client.server_url]) == 0
    assert capfdbinary.readouterr().out == b"\x00\xff\x1b[0m no newline"


def test_logs_of_a_step_that_is_not_there_suggest_one(client: ApiClient, script: Script, capsys: Captured) -> None:
    script.answer("GET", "/api/builds/b1", FINISHED)
    assert main(["logs", "b1", "compil", "--server", client.server_url]) == 2
    assert one_line_on_stderr(capsys) == "buildserver: the build has no step 'compil'; did you mean 'compile'?\n"
