"""`up`: what it starts, what it refuses, and that the commands work against it."""

import json
import re
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.e2e.running import Running, buildserver, kill_parents_first, until

TASKS = {"builds.plan", "builds.dispatch", "steps.run", "maintenance.sweep"}


def get_json(url: str) -> Any:
    return urllib3.request("GET", url, retries=False, timeout=10.0).json()


def one_refusal(*arguments: str) -> str:
    """The one line of a command that is refused with exit status 2."""
    answer = buildserver(*arguments)
    assert (answer.returncode, answer.stdout) == (2, ""), answer
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr


def write(path: Path, script: str) -> str:
    path.write_text(f"steps:\n- name: only\n  run: |\n    {script}\n")
    return str(path)


def test_everything_it_names_answers(system: Running) -> None:
    for name in ("API", "API docs", "Flower"):
        assert urllib3.request("GET", system.url(name), timeout=10.0).status == 200


def test_the_diamond_succeeds(system: Running, examples: Path) -> None:
    answer = buildserver("run", str(examples / "diamond.yml"), "--server", system.url("API"), cwd=examples)
    assert answer.returncode == 0, answer
    steps = [line.split()[:2] for line in answer.stdout.splitlines() if line.startswith("SUCCESS  ")]
    assert sorted(name for _, name in steps) == ["join", "left", "prepare", "right"]
    assert (steps[0][1], steps[-1][1]) == ("prepare", "join")
    until(lambda: re.search(r" / diamond  \S{13}  SUCCESS in ", system.output), "the terminal names the build")


def test_a_failing_build_is_exit_1_with_the_end_of_its_log(system: Running, tmp_path: Path) -> None:
    path = write(tmp_path / "flow.yml", "echo what went wrong; exit 7")
    answer = buildserver("run", path, "--server", system.url("API"), cwd=tmp_path)
    assert answer.returncode == 1, answer
    assert "  what went wrong" in answer.stdout.splitlines()
    assert any(
        line.split() == ["FAILED", "only", *line.split()[2:4], "exit", "7"] for line in answer.stdout.splitlines()
    )


def test_json_builds_show_and_logs_tell_the_same(system: Running, tmp_path: Path) -> None:
    path, server = write(tmp_path / "flow.yml", "printf '\\\\000\\\\377 bytes'"), ("--server", system.url("API"))
    build = json.loads(buildserver("run", path, "--json", *server, cwd=tmp_path).stdout)
    assert build["status"] == "SUCCESS"
    assert json.loads(buildserver("show", build["id"], "--json", *server).stdout) == build
    listed = json.loads(buildserver("builds", "--json", "--project", tmp_path.name, *server).stdout)
    assert [found["id"] for found in listed] == [build["id"]]
    assert buildserver("logs", build["id"], "only", *server).returncode == 0


def test_flower_lists_the_workers_and_the_tasks(system: Running, examples: Path) -> None:
    buildserver("run", str(examples / "diamond.yml"), "--server", system.url("API"), cwd=examples)
    flower = system.url("Flower")
    workers = until(lambda: get_json(f"{flower}/api/workers?status=true"), "Flower knows the workers")
    assert {name.partition("@")[0] for name in workers} == {"orchestrator", "runner"}
    until(lambda: set(get_json(f"{flower}/api/task/types")["task-types"]) >= TASKS, "Flower has seen the four tasks")


def test_a_program_that_is_killed_is_started_again(system: Running, examples: Path) -> None:
    until(lambda: "Ctrl-C stops it" in system.output, "the terminal tells what happens from now on")
    before = {process_id for process_id, line in system.processes().items() if "gunicorn" in line}
    kill_parents_first(before)
    until(lambda: before.isdisjoint(system.processes()), "the killed programs are gone")
    answer = buildserver("run", str(examples / "diamond.yml"), "--server", until_answering(system), cwd=examples)
    assert answer.returncode == 0, answer
    until(lambda: "api ended (terminated by SIGKILL; not expected)" in system.output, "the terminal tells of it")


def until_answering(system: Running) -> str:
    url = system.url("API")

    def answers() -> bool:
        try:
            return urllib3.request("GET", f"{url}/readyz", retries=False, timeout=5.0).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    until(answers, "the API answers again")
    return url


def test_a_second_one_on_the_same_data_is_refused(system: Running, port: int) -> None:
    line = one_refusal("up", "--data-dir", str(system.data_dir), "--port", str(port))
    assert line.startswith(
        f"buildserver: {system.data_dir} is in use by `buildserver up` (process {system.process.pid})"
    )


def test_a_port_in_use_is_refused_by_name(system: Running, tmp_path: Path) -> None:
    taken = system.url("API").rpartition(":")[2]
    line = one_refusal("up", "--data-dir", str(tmp_path / "data"), "--port", taken)
    expected = f"port {taken} on 127.0.0.1 is in use by another Build Server: stop that, or choose another port"
    assert line.startswith(f"buildserver: {expected}")


def test_an_open_address_is_refused(tmp_path: Path, port: int) -> None:
    line = one_refusal("up", "--data-dir", str(tmp_path / "data"), "--host", "0.0.0.0", "--port", str(port))
    assert "BUILDSERVER_TRUST_NETWORK=true" in line
    assert not (tmp_path / "data").exists()


def test_data_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path, port: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with sqlite3.connect(data / "buildserver.db") as database:
        database.execute("create table alembic_version (version_num varchar(32) not null)")
        database.execute("insert into alembic_version values ('from_the_future')")
    line = one_refusal("up", "--data-dir", str(data), "--port", str(port))
    assert "newer version" in line
    with sqlite3.connect(data / "buildserver.db") as database:
        assert database.execute("select name from sqlite_master where type='table'").fetchall() == [
            ("alembic_version",)
        ]


@pytest.mark.parametrize("taken", [False, True], ids=["port is free", "port is taken"])
def test_the_demo_builds_its_project_and_leaves_nothing(tmp_path: Path, port: int, taken: bool) -> None:
    demo = ("demo", "--exit", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    if not taken:
        answer = buildserver(*demo)
    else:
        with socket.create_server(("127.0.0.1", port)):
            answer = buildserver(*demo)
    assert answer.returncode == 0, answer
    assert ("is in use; the demo takes" in answer.stdout) is taken
    assert {line.split()[1] for line in answer.stdout.splitlines() if line.startswith("SUCCESS  ")} == {
        "compile",
        "unit-tests",
        "readme-examples",
        "package",
    }
    assert Running.left(tmp_path / "data") == {}
