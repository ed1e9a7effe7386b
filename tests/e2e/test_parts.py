"""`up` with parts that are given, taken, killed or many."""

import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.running import Running, buildserver, kill_parents_first, running, until
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer


def succeeds(system: Running, examples: Path) -> bool:
    answer = buildserver("run", str(examples / "diamond.yml"), "--server", system.url("API"), cwd=examples)
    return answer.returncode == 0 and "4 succeeded" in answer.stdout


def test_a_given_database_and_redis_are_used_and_none_is_started(
    tmp_path: Path, port: int, examples: Path, postgres: PostgresServer, redis_url: str
) -> None:
    with (
        postgres.database() as url,
        running(tmp_path / "data", "up", "--port", str(port), DATABASE_URL=url, REDIS_URL=redis_url) as system,
    ):
        assert succeeds(system, examples)
        assert "the one of REDIS_URL" in system.output
        assert not (tmp_path / "data" / "buildserver.db").exists()
        assert [line for line in system.processes().values() if "unixsocket" in line] == []


def test_a_given_redis_that_does_not_answer_is_refused_before_anything_starts(
    tmp_path: Path, port: int, redis_server: RedisServer
) -> None:
    gone = redis_server.url + ".gone"
    system = Running(tmp_path / "data", "up", "--port", str(port), REDIS_URL=gone)
    assert system.process.wait(60) == 2
    assert system.output.count("\n") == 1
    assert system.output.startswith(f"buildserver: the Redis of REDIS_URL, {gone}, does not serve: ")
    assert system.processes() == {}


def test_a_killed_redis_comes_back_and_builds_go_on(system: Running, examples: Path) -> None:
    until(lambda: "Ctrl-C stops it" in system.output, "the terminal tells what happens from now on")
    kill_parents_first([number for number, line in system.processes().items() if "unixsocket" in line])
    assert succeeds(system, examples)
    until(lambda: "redis ended (terminated by SIGKILL; not expected)" in system.output, "the terminal tells of it")


def test_eight_steps_run_at_once_where_eight_are_asked_for(tmp_path: Path, port: int) -> None:
    """Each step waits until all eight have begun, so seven slots would never do."""
    flags, flow = tmp_path / "flags", tmp_path / "flow.yml"
    flags.mkdir()
    script = f"touch '{flags}'/$STEP_NAME; until [ $(ls '{flags}' | wc -l) -eq 8 ]; do sleep 0.1; done"
    steps = [f'- {{name: s{number}, run: "{script}", timeoutSeconds: 40}}' for number in range(8)]
    flow.write_text("\n".join(["steps:", *steps]))
    with running(tmp_path / "data", "up", "--port", str(port), "--runners", "8") as system:
        answer = buildserver("run", str(flow), "--server", system.url("API"), cwd=tmp_path)
        assert answer.returncode == 0, answer


def test_flower_takes_the_next_port_where_its_own_is_taken(tmp_path: Path, port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", port + 1)),
        running(tmp_path / "data", "up", "--port", str(port)) as system,
    ):
        assert int(system.url("Flower").rpartition(":")[2]) > port + 1


def test_an_ipv6_address_is_written_with_brackets_and_serves(tmp_path: Path, port: int, examples: Path) -> None:
    with running(tmp_path / "data", "up", "--host", "::1", "--port", str(port)) as system:
        assert system.url("API") == f"http://[::1]:{port}"
        assert succeeds(system, examples)


@pytest.mark.parametrize("moment", ["redis", "gunicorn"])
def test_sigterm_in_the_middle_of_the_start_leaves_nothing(tmp_path: Path, port: int, moment: str) -> None:
    system = Running(tmp_path / "data", "up", "--port", str(port))
    until(lambda: any(moment in line for line in system.processes().values()), f"{moment} has been started")
    system.send(signal.SIGTERM)
    system.wait_gone()
    assert system.process.returncode in (0, 130)
    assert "Traceback" not in system.output
    assert system.output.splitlines()[-1] == "stopped"
