"""A command that kills what keeps it: it gains nothing by it, its neighbours lose nothing, and the next one runs."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.wait import eventually
from tests.worker.execution import DAEMON, Execution, naming
from worker.process_executor import Cause, Ending, ProcessExecutor

NAMED = naming("$PPID")
NAMELESS = "env -i setsid bash -c 'echo $$ > pid; exec sleep 1000' & until [ -s pid ]; do :; done; "
STOPS = 'stops() { kill -STOP "$1"; until grep -q "^State:.T" "/proc/$1/status"; do :; done; }; '
"""A signal is on its way for a moment, in which the guard could still end a zygote that was stopped."""


def is_gone(noted: Path) -> bool:
    """A zombie, which whoever runs this test has not waited for yet, is gone too."""
    try:
        return Path(f"/proc/{noted.read_text().strip()}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("killed", ["$keeper", "$zygote $keeper", "$guard $keeper", "$guard $zygote $keeper"])
def test_a_daemon_of_a_command_that_kills_what_keeps_it_is_gone_when_that_is_known(
    execution: Execution, killed: str
) -> None:
    assert execution.run(f"{NAMED}{DAEMON}kill -KILL {killed}; sleep 1000") == Ending(Cause.KEEPER_LOST)
    assert execution.left() == []


@pytest.mark.parametrize("killed", ["$keeper", "$zygote $keeper", "$guard $keeper"])
def test_one_without_a_mark_falls_to_whoever_is_left_above_it(
    execution: Execution, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    monkeypatch.setattr("worker.process_executor.end_marked", lambda _: None)  # it might find its parent in time
    assert execution.run(f"{NAMED}{NAMELESS}kill -KILL {killed}; sleep 1000") == Ending(Cause.KEEPER_LOST)
    eventually(lambda: is_gone(execution.folder / "pid"))


def test_after_a_command_that_killed_the_guard_the_next_one_has_one(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.process_executor.end_marked", lambda _: None)
    execution.run(f"{NAMED}kill -KILL $guard")
    execution.run(f"{NAMED}{NAMELESS}kill -KILL $zygote $keeper; sleep 1000")
    eventually(lambda: is_gone(execution.folder / "pid"))


@pytest.mark.parametrize("killed", ["$keeper", "$zygote", "$guard", "$guard $zygote", "$guard $zygote $keeper"])
def test_after_a_command_that_killed_what_keeps_it_the_next_one_runs(execution: Execution, killed: str) -> None:
    execution.run(f"{NAMED}kill -KILL {killed}")
    execution.output = b""
    assert execution.run("echo next") == Ending(Cause.ITSELF, 0)
    assert execution.output == b"next\n"


def test_a_command_that_forks_all_the_time_is_gone_too(execution: Execution) -> None:
    running = "run() { (sleep 0.001; run) & }; export -f run; for n in 1 2 3 4 5; do setsid bash -c run & done; "
    assert execution.run(f"{NAMED}{running}kill -KILL $guard $zygote $keeper; sleep 1000").cause is Cause.KEEPER_LOST
    assert execution.left() == []


@pytest.mark.parametrize("killed", ["$zygote", "$guard", "$guard $zygote"])
def test_a_neighbour_goes_on_and_is_still_kept(executor: ProcessExecutor, tmp_path: Path, killed: str) -> None:
    neighbour, killer = (Execution(executor, tmp_path / name) for name in ("neighbour", "killer"))
    for each in (neighbour, killer):
        each.folder.mkdir()
    with ThreadPoolExecutor(1) as slot:
        running = slot.submit(neighbour.run, f"touch on; until [ -e go ]; do sleep 0.01; done; {DAEMON}exit 5")
        eventually((neighbour.folder / "on").exists)
        killer.run(f"{NAMED}kill -KILL {killed}")
        assert killer.run("true") == Ending(Cause.ITSELF, 0)
        (neighbour.folder / "go").touch()
        assert running.result(20) == Ending(Cause.ITSELF, 5)
    assert neighbour.left() == []


@pytest.mark.parametrize("stopped", ["$keeper", "$zygote $keeper"])
def test_who_stops_its_keeper_ends_as_if_it_had_killed_it(execution: Execution, stopped: str) -> None:
    assert execution.run(f"{NAMED}{DAEMON}kill -STOP {stopped}; sleep 1000") == Ending(Cause.KEEPER_LOST)
    assert execution.left() == []
    assert execution.run("true") == Ending(Cause.ITSELF, 0)


def test_the_keeper_alone_sees_to_it_that_nothing_is_left(execution: Execution) -> None:
    """Those above it, which would do the same, are stopped meanwhile."""
    noted = "echo $guard > guard; "
    ended = execution.run(f"{NAMED}{DAEMON}{noted}{STOPS}stops $guard; stops $zygote; exit 7")
    left = execution.left()
    os.kill(int((execution.folder / "guard").read_text()), signal.SIGCONT)  # it ends the zygote
    assert (ended, left) == (Ending(Cause.ITSELF, 7), [])


def test_a_zygote_that_was_stopped_holds_nobody_up(execution: Execution) -> None:
    assert execution.run(f"{NAMED}kill -STOP $zygote; exit 6") == Ending(Cause.ITSELF, 6)
    assert execution.run("true") == Ending(Cause.ITSELF, 0)


def test_with_the_guard_stopped_too_the_runner_begins_anew_and_the_stopped_ones_end(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.process_executor.START_PATIENCE_S", 0.5)
    execution.run(f"{NAMED}echo $guard > guard; echo $zygote > zygote; kill -STOP $guard $zygote; exit 0")
    assert execution.run("true") == Ending(Cause.NOT_STARTED)
    monkeypatch.undo()
    assert execution.run("true") == Ending(Cause.ITSELF, 0)
    eventually(lambda: all(is_gone(execution.folder / name) for name in ("guard", "zygote")))
