"""A server whose disk is full while a step prints and ends: what there is to tell waits here until there is room."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.full_disk import full_disk
from tests.support.wait import eventually
from tests.worker.conftest import LONG_LEASE, NewRunner, Server
from worker.attempt import Outcome
from worker.report import Undelivered
from worker.runner import Runner

pytestmark = LONG_LEASE

FIRST = b"begun\n"
REFUSALS = 3
"""So the runner has asked again."""


@dataclass(frozen=True)
class Ending:
    """How a step ends: its exit status, what it prints before that, and what its runner says of it in the log."""

    exit_status: int
    last: bytes
    said: bytes


SUCCESS = Ending(0, b"", b"")
"""The server has the whole log already, and lacks the report alone."""
FAILURE = Ending(3, b"\0\xff many last words\n" * 30_000, "» the step ended with exit status 3\n".encode())


@dataclass(frozen=True)
class Unheard:
    """A step that has ended, and whose runner is at it to say so."""

    step: str
    ending: Ending
    outcome: Future[Outcome | None]


@contextmanager
def unheard(server: Server, runner: Runner, folder: Path, ending: Ending) -> Iterator[Unheard]:
    """Within the block the server has no room for what the step prints last, nor for how it ends."""
    end, printed = folder / "end", folder / "printed"
    printed.write_bytes(ending.last)
    waits = f"echo begun; until [ -e '{end}' ]; do sleep 0.05; done"
    step = server.new_step(f"{waits}; cat '{printed}'; exit {ending.exit_status}")
    with ThreadPoolExecutor(1) as slot:
        outcome = slot.submit(runner.run, step)
        eventually(lambda: server.log(step) == FIRST)
        with full_disk(server.database) as errors:
            end.touch()
            eventually(lambda: len(errors) >= REFUSALS, describe=lambda: f"{errors}")
            assert (server.attempt(step), server.log(step)) == (("RUNNING", 1), FIRST)
            assert len(reports(folder)) == 1
            yield Unheard(step, ending, outcome)


def reports(folder: Path) -> list[Path]:
    """Those that wait for the server."""
    return list(folder.glob("work/reports/*.json"))


def assert_heard(server: Server, ended: Unheard, folder: Path) -> None:
    """Once, as it was, and with its log whole; nothing waits any more."""
    status, ending = "FAILED" if ended.ending.exit_status else "SUCCESS", ended.ending
    eventually(lambda: server.attempt(ended.step) == (status, 1))
    assert server.step(ended.step)["exitCode"] == ending.exit_status
    assert server.client.get(f"/api/builds/{server.step(ended.step)['buildId']}").body["status"] == status
    assert server.log(ended.step) == FIRST + ending.last + ending.said
    assert (server.actions("step.completed"), server.actions("build.finished")) == (1, 1)
    eventually(lambda: list(folder.glob("work/reports/*")) == [])


@pytest.mark.parametrize("ending", [SUCCESS, FAILURE], ids=["a success", "a failure with many last words"])
def test_a_runner_tells_the_end_of_a_step_and_of_its_log_once_the_server_has_room(
    server: Server, runner: Runner, tmp_path: Path, ending: Ending
) -> None:
    with unheard(server, runner, tmp_path, ending) as ended:
        assert not ended.outcome.done()
    ended.outcome.result(timeout=20)
    assert_heard(server, ended, tmp_path)


@pytest.mark.parametrize("ending", [SUCCESS, FAILURE], ids=["a success", "a failure with many last words"])
def test_a_runner_that_was_asked_to_end_meanwhile_leaves_both_to_the_next(
    server: Server, runner: Runner, new_runner: NewRunner, tmp_path: Path, ending: Ending
) -> None:
    with unheard(server, runner, tmp_path, ending) as ended:
        runner.stop()
        assert isinstance(ended.outcome.exception(timeout=20), Undelivered)
        assert len(reports(tmp_path)) == 1
    new_runner()
    assert_heard(server, ended, tmp_path)
