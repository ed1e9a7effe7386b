"""The runner against the real API: one attempt from its claim to its report."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.wait import eventually
from tests.worker.conftest import Server
from tests.worker.processes import processes_of
from worker.api import Refused
from worker.attempt import HANDED_BACK, Outcome
from worker.runner import Runner


def test_a_doubled_message_runs_the_step_once(server: Server, runner: Runner, tmp_path: Path) -> None:
    """Both messages reach the same runner, as a re-sent one does when the queue is long."""
    ledger = tmp_path / "ledger"
    step = server.new_step(f"echo started >> '{ledger}'; sleep 0.5")
    together = threading.Barrier(3)

    def take() -> Outcome | Refused | None:
        together.wait()
        try:
            return runner.run(step, 1)
        except Refused as error:
            return error

    with ThreadPoolExecutor(3) as slots:
        taken = [slot.result() for slot in [slots.submit(take) for _ in range(3)]]
    assert ledger.read_text() == "started\n"
    assert sorted(type(each).__name__ for each in taken) == ["Outcome", "Refused", "Refused"]
    assert server.status(step) == "SUCCESS"


def test_output_outcome_and_exit_status_reach_the_server(server: Server, runner: Runner) -> None:
    step = server.new_step(r"printf 'a\377\000b'; exit 3")
    assert runner.run(step) == Outcome("exit", 3)
    shown = server.step(step)
    assert (shown["status"], shown["reason"], shown["exitCode"]) == ("FAILED", "exit", 3)
    assert server.log(step).startswith(b"a\xff\0b")


def test_a_step_over_its_time_limit_is_stopped(server: Server, runner: Runner, tmp_path: Path) -> None:
    """With all that it started, however little of it wants to end."""
    step = server.new_step("trap '' TERM; setsid sleep 1000 & setsid bash -c 'sleep 1000 &'; wait", timeoutSeconds=1)
    assert runner.run(step) == Outcome("timeout")
    shown = server.step(step)
    assert (shown["status"], shown["reason"], shown["attempt"]) == ("FAILED", "timeout", 1)
    assert processes_of(tmp_path) == []


def test_a_runner_that_stops_hands_its_attempt_back(server: Server, runner: Runner) -> None:
    step = server.new_step("sleep 1000")
    with ThreadPoolExecutor(1) as slot:
        running = slot.submit(runner.run, step)
        eventually(lambda: server.status(step) == "RUNNING")
        runner.stop()
        assert running.result(timeout=10) == HANDED_BACK
    assert server.attempt(step) == ("READY", 2)
    assert server.handed_back(step) == [True]


def test_a_step_sees_its_own_environment_and_of_the_runners_only_the_path(
    server: Server, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:s3cret@host/db")
    monkeypatch.setenv("BUILDSERVER_DATA_DIR", "/s3cret")
    monkeypatch.setenv("PATH", f"relative::.:{os.environ['PATH']}")
    step = server.new_step("env -0; cat /proc/$PPID/environ", env={"WORD": "two\nlines"})
    assert runner.run(step) == Outcome(exit_code=0)
    seen = dict(entry.split("=", 1) for entry in server.log(step).decode().split("\0") if entry)
    documented = {
        "BUILDSERVER_MARK",
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "CI",
        "BUILDSERVER",
        "PROJECT_ID",
        "BUILD_ID",
        "STEP_ID",
    }
    assert set(seen) == documented | {"STEP_NAME", "STEP_ATTEMPT", "WORD"} | {"PWD", "OLDPWD", "SHLVL", "_"} & set(seen)
    assert (seen["WORD"], seen["STEP_ID"]) == ("two\nlines", step)
    assert all(Path(place).is_absolute() for place in seen["PATH"].split(":"))
    assert not any("s3cret" in value for value in seen.values())


def test_a_checkout_that_a_signal_ends_may_be_tried_again(
    server: Server, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel without memory kills like this; the repository is not to blame."""
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text("#!/bin/bash\nread -r _ _ _ _ _ session _ < /proc/$$/stat; kill -KILL $session\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    step = server.new_step(build={"repoUrl": "file:///nowhere", "commitHash": "a" * 40})
    assert runner.run(step) == Outcome("lost")
    assert server.attempt(step) == ("READY", 2)
    assert "» the checkout was ended by signal 9; it may be tried again\n".encode() in server.log(step)
