"""A step that kills what runs it: the attempt is lost, the runner goes on or is started again, nothing lives on."""

import signal
from pathlib import Path

import pytest

from tests.support.wait import eventually
from tests.worker.by_hand import ByHand
from tests.worker.conftest import LONG_LEASE, ON_SQLITE, NewRunner, Server
from tests.worker.execution import DAEMON, naming
from tests.worker.processes import processes_of
from worker.attempt import Outcome
from worker.runner import Runner

pytestmark = ON_SQLITE

NAMED = naming("$(parent_of $PPID)")  # the script's parent is the program
# Stopped first, or the one that is killed last may kill the step before.
KILL_ALL = """
killer() {
    runner=$(parent_of $guard)
    kill -STOP $runner $guard $zygote $keeper
    kill -KILL $runner $guard $zygote $keeper
    sleep 1000
}
export -f killer parent_of
export keeper zygote guard
setsid bash -c killer & sleep 1000
"""


@pytest.mark.parametrize("killed", ["$keeper", "$zygote $keeper", "$guard $zygote $keeper"])
def test_a_step_that_kills_what_keeps_it_is_lost_and_the_runner_goes_on(
    server: Server, runner: Runner, tmp_path: Path, killed: str
) -> None:
    killing, next_one = server.new_steps([{"runScript": f"{NAMED}{DAEMON}kill -KILL {killed}; sleep 1000"}, {}])
    assert runner.run(killing) == Outcome("lost")
    assert processes_of(tmp_path) == []
    assert server.attempt(killing) == ("READY", 2)
    assert runner.run(next_one) == Outcome(exit_code=0)


@LONG_LEASE
def test_what_a_step_leaves_that_killed_its_runner_too_ends_when_that_is_started_again(
    server: Server, new_runner: NewRunner, tmp_path: Path
) -> None:
    step = server.new_step(f"{NAMED}{KILL_ALL}")
    with ByHand(server, tmp_path).start_step(step) as process:
        assert process.wait(20) == -signal.SIGKILL
    assert processes_of(tmp_path) != []
    new_runner()
    assert processes_of(tmp_path) == []
    eventually(lambda: list((tmp_path / "work").glob("*-*")) == [])
    eventually(lambda: server.attempt(step) == ("READY", 2))
