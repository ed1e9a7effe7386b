"""A runner whose machine is short of threads, descriptors or processes: what it took goes back, and nothing runs on."""

import errno
import selectors
import subprocess
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.worker.conftest import LONG_LEASE, ON_SQLITE, Server
from tests.worker.processes import processes_of
from worker.attempt import Outcome
from worker.runner import Runner
from worker.zygote_client import ZygoteClient


def goes_back(server: Server, runner: Runner, step: str) -> None:
    """The server may give it to another at once, this one rests, and can do it again when the machine can."""
    outcome = runner.run(step)
    assert outcome is not None and (outcome.reason, outcome.handed_back) == ("lost", True), outcome
    assert (server.attempt(step), server.handed_back(step)) == (("READY", 2), [True])
    assert "may be tried again" in server.log(step, 1).decode()
    assert runner.pause_s > 0


@ON_SQLITE
@LONG_LEASE
@pytest.mark.parametrize("name", ["heartbeat", "log"])
def test_an_attempt_for_which_there_is_no_thread_goes_back(
    server: Server, runner: Runner, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    step = server.new_step("true")
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(f"{name} "):
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        goes_back(server, runner, step)
    assert runner.run(step) == Outcome(exit_code=0)


@ON_SQLITE
@LONG_LEASE
def test_a_step_that_cannot_be_followed_for_want_of_descriptors_is_not_begun(
    server: Server, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = server.new_step(f"touch '{tmp_path}/begun'")

    def refuse(*_: Any) -> AbstractContextManager[selectors.BaseSelector]:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as short:
        short.setattr("worker.process_executor._watching", refuse)
        goes_back(server, runner, step)
    assert not (tmp_path / "begun").exists()


@ON_SQLITE
@LONG_LEASE
def test_of_a_step_that_cannot_be_followed_any_more_nothing_runs_on(
    server: Server, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = server.new_step("trap '' TERM; echo begun; while :; do sleep 0.05; done")

    def refuse(*_: Any) -> bool:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with monkeypatch.context() as short:
        short.setattr("worker.process_executor._read", refuse)
        outcome = runner.run(step)
    assert outcome is not None and outcome.handed_back
    assert processes_of(tmp_path) == []


def test_a_zygote_that_cannot_be_started_fails_as_the_machine_does_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    zygote = ZygoteClient()

    def refuse(*_: Any, **__: Any) -> subprocess.Popen[bytes]:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as short:
        short.setattr(subprocess, "Popen", refuse)
        for _ in range(3):
            with pytest.raises(BlockingIOError):
                zygote.start()
    zygote.start()
    zygote.close()
