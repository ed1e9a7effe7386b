"""What a runner costs its machine: nothing is left by many steps, by large ones, or by a runner that was killed."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.services import logs
from tests.support.wait import eventually
from tests.worker.by_hand import ByHand
from tests.worker.conftest import LONG_LEASE, ON_SQLITE, NewRunner, Server
from tests.worker.processes import processes_of
from worker.attempt import Outcome
from worker.runner import Runner

pytestmark = ON_SQLITE

STEPS = 200
LOG_BYTES = 100_000_000
MEMORY_BYTES = 100 << 20
"""A runner takes about half of it; one that held the log in memory would need the log's size on top."""
KIB = 1024


def open_files(database: Path) -> int:
    """Not counting those of the server's database, which is in this process too."""
    files = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    return len([file for file in files if not file.startswith(str(database))])


def zombies() -> list[str]:
    """Ended children of this process that nobody has waited for."""
    mine = f" Z {os.getpid()} "
    return [found for each in Path("/proc").glob("[0-9]*/stat") if mine in (found := stat_of(each))]


def stat_of(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def peak_memory_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * KIB


def test_many_steps_leave_no_descriptor_no_zombie_and_no_folder(server: Server, runner: Runner, tmp_path: Path) -> None:
    first, *steps = server.new_steps([{"runScript": "true"}] * (STEPS + 1))
    runner.run(first)
    runner._client._pool.clear()
    database = tmp_path / "buildserver.db"
    before = open_files(database)
    with ThreadPoolExecutor(4) as slots:
        assert list(slots.map(runner.run, steps)) == [Outcome(exit_code=0)] * STEPS
    runner._client._pool.clear()
    eventually(lambda: open_files(database) <= before, describe=lambda: f"more than {before} open files")
    eventually(lambda: zombies() == [], describe=lambda: f"{zombies()}")  # the last folder is being removed
    assert processes_of(tmp_path) == []
    eventually(lambda: list((tmp_path / "work").glob("*-*")) == [])


def test_a_large_log_does_not_make_the_runner_large(server: Server, tmp_path: Path) -> None:
    script = f"head -c {LOG_BYTES} /dev/zero; until [ -e '{tmp_path}/go' ]; do sleep 0.05; done"
    step = server.new_step(script)
    with ByHand(server, tmp_path).start_step(step, BUILDSERVER_LOG_LIMIT_BYTES="200 MiB") as process:
        assert process.stdout is not None
        shown = process.stdout.read(LOG_BYTES)
        eventually(lambda: server.database.read(logs.extent, step).size_bytes == LOG_BYTES, 60)
        peak = peak_memory_bytes(process.pid)
        (tmp_path / "go").touch()
        assert process.wait(30) == 0
    assert shown == "\0" * LOG_BYTES
    assert peak < MEMORY_BYTES


@pytest.mark.parametrize(
    ("variables", "size_bytes", "outcome"),
    [
        (500, 1_000, Outcome(exit_code=0)),
        (12, 100_000, Outcome(exit_code=0)),
        (30, 100_000, Outcome("exit", 126)),
        (1, 200_000, Outcome("exit", 126)),
    ],
)
def test_a_huge_environment_is_the_steps_or_fails_it_clearly(
    server: Server, runner: Runner, variables: int, size_bytes: int, outcome: Outcome
) -> None:
    """The kernel takes about 2 MB of it, and 128 KiB per variable."""
    env = {f"V{number}": "x" * size_bytes for number in range(variables)}
    total = " ".join(f"${{#{name}}}" for name in env)
    step = server.new_step(f"set -- {total}; echo $# $1", env=env)
    assert runner.run(step) == outcome
    expected = f"{variables} {size_bytes}\n" if outcome.reason is None else "Argument list too long"
    assert expected in server.log(step).decode()
    assert server.status(step) == ("FAILED" if outcome.reason else "SUCCESS")


@LONG_LEASE
def test_a_killed_runner_leaves_no_process_and_its_folders_to_the_next(
    server: Server, new_runner: NewRunner, tmp_path: Path
) -> None:
    step = server.new_step(f"trap '' TERM; (trap '' TERM; exec setsid sleep 1000) & touch '{tmp_path}/on'; sleep 1000")
    with ByHand(server, tmp_path).start_step(step) as process:
        eventually((tmp_path / "on").exists)
        process.send_signal(signal.SIGKILL)
        process.wait()
    eventually(lambda: processes_of(tmp_path) == [], describe=lambda: f"{processes_of(tmp_path)}")
    assert len(list((tmp_path / "work").glob("attempt-*"))) == 1
    new_runner()
    eventually(lambda: list((tmp_path / "work").glob("*-*")) == [])
    eventually(lambda: server.attempt(step) == ("READY", 2))
    assert server.handed_back(step) == [False]
