"""A runner that stands still for two leases and goes on, as on a machine that swaps, sleeps or is paused."""

from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from tests.integration.tasks.system import System
from tests.integration.tasks.ticking import UPTIME_S, Ticking
from tests.support.program import Program
from tests.support.wait import eventually
from tests.worker.conftest import ON_SQLITE
from tests.worker.processes import processes_of
from worker.clock import clock
from worker.process_tree import descendants, send

SECOND = 40
"""So many lines the step's two processes write in one, together. On a slow machine they are slower, as is their end."""
GONE = ""


@pytest.fixture
def ticking(system: System, tmp_path: Path) -> Ticking:
    return Ticking(system, tmp_path)


def state(pid: int) -> str:
    """The letter by which the kernel says what a process does."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return GONE


def stop(pid: int) -> None:
    """A signal is on its way for a moment."""
    send([pid], SIGSTOP)
    eventually(lambda: state(pid) in ("T", "Z", GONE))


def stop_tree(runner: Program) -> list[int]:
    """Everything down to the step's last process, parents first: one that still went would end a child that does not,
    as if a step had stopped it."""
    stop(runner.process.pid)
    while moving := [pid for pid in descendants(runner.process.pid) if state(pid) not in ("T", "Z", GONE)]:
        stop(moving[0])
    return [runner.process.pid, *descendants(runner.process.pid)]


def judge(ticking: Ticking) -> None:
    """The first runner has said what it had to say, nothing of its step is left, and only the second attempt counts."""
    ticking.wait_let_go("first")
    assert processes_of(ticking.work_dir("first")) == []
    assert ticking.system.statuses(ticking.build) == ["RUNNING", "RUNNING"]
    ticking.end(2)
    ticking.wait_succeeded()
    assert ticking.results() == ["lost", None]
    assert ticking.trail() == ["step.ready", "step.claimed", "step.expired", "step.claimed", "step.completed"]


def test_a_runner_that_stood_still_for_longer_than_its_lease_finds_its_step_ended(ticking: Ticking) -> None:
    """Its keeper did not stand still: nothing of the first attempt was left when the second one began."""
    first = ticking.runner("first")
    ticking.wait_started(1, first)
    first.send(SIGSTOP)
    ticking.wait_started(2, ticking.runner("second"))
    ticking.wait_leases(2)
    first.send(SIGCONT)
    judge(ticking)
    assert ticking.overlap() == []


def test_a_result_that_a_step_came_to_while_its_runner_stood_still_for_too_long_is_refused(ticking: Ticking) -> None:
    first = ticking.runner("first")
    ticking.wait_started(1, first)
    first.send(SIGSTOP)
    ticking.end(1)
    ticking.wait_started(2, ticking.runner("second"))
    first.send(SIGCONT)
    judge(ticking)
    (ended,), (refused,) = first.lines("attempt ended"), first.lines("report refused")
    assert (ended["reason"], ended["exit_code"], refused["attempt"]) == (None, 0, 1)
    assert ticking.overlap() == []


@ON_SQLITE
@pytest.mark.parametrize("order", [reversed, list], ids=["the step first", "the runner first"])
def test_a_step_that_stood_still_with_all_above_it_is_ended_as_soon_as_it_goes_on(
    ticking: Ticking, order: Callable[[list[int]], list[int]]
) -> None:
    first = ticking.runner("first")
    ticking.wait_started(1, first)
    stopped = stop_tree(first)
    ticking.wait_started(2, ticking.runner("second"))
    ticking.wait_leases(2)
    goes_on_at = clock()
    send(order(stopped), SIGCONT)
    judge(ticking)
    assert all(at >= goes_on_at - UPTIME_S for at in ticking.overlap())
    assert len(ticking.overlap()) <= SECOND
