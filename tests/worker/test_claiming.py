"""A claim that is not answered, or with a failure of the server: what becomes of the attempt, and of others."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models import StepRun
from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker.conftest import LONG_LEASE, ON_SQLITE, NewRunner, Server
from worker.api import Failing
from worker.attempt import Outcome
from worker.claiming import Unanswered
from worker.runner import Runner, Stopping

pytestmark = ON_SQLITE


class Asking:
    """A runner that asks for a step's first attempt, until it has told that nobody answers."""

    def __init__(self, runner: Runner, step: str) -> None:
        self.runner = runner
        told = threading.Event()
        self.outcome: Future[Outcome | None] = ThreadPoolExecutor(1).submit(runner.run, step, 1, told.set)
        assert told.wait(20)

    def stop(self) -> None:
        self.runner.stop()
        assert isinstance(self.outcome.exception(timeout=20), Unanswered)


def reports(folder: Path) -> list[Path]:
    return list(folder.glob("work/reports/*.json"))


def spoil(session: Session, step_id: str) -> None:
    session.execute(update(StepRun).where(StepRun.id == step_id).values(definition={}))


def status(session: Session, step_id: str) -> str:
    return session.scalars(select(StepRun.status).where(StepRun.id == step_id)).one()


@LONG_LEASE
def test_an_attempt_whose_claim_was_heard_and_not_answered_is_handed_back_by_a_runner_that_is_to_end(
    server: Server, runner: Runner, proxy: Proxy
) -> None:
    step = server.new_step()
    proxy.cut_answers_after(10)
    asking = Asking(runner, step)
    assert server.attempt(step) == ("RUNNING", 1)
    asking.stop()
    eventually(lambda: server.attempt(step) == ("READY", 2))
    assert server.handed_back(step) == [True]


@LONG_LEASE
def test_the_next_runner_there_hands_it_back_where_the_server_is_out_of_reach(
    server: Server, runner: Runner, proxy: Proxy, new_runner: NewRunner, tmp_path: Path
) -> None:
    step = server.new_step()
    proxy.cut_answers_after(10)
    asking = Asking(runner, step)
    proxy.refuse()
    asking.stop()
    assert (server.attempt(step), len(reports(tmp_path))) == (("RUNNING", 1), 1)
    proxy.restore()
    new_runner()
    eventually(lambda: server.attempt(step) == ("READY", 2))
    assert server.handed_back(step) == [True]
    eventually(lambda: reports(tmp_path) == [])


@LONG_LEASE
def test_a_claim_that_was_never_heard_takes_the_attempt_from_nobody(
    server: Server, runner: Runner, proxy: Proxy, new_runner: NewRunner, tmp_path: Path
) -> None:
    step = server.new_step()
    proxy.refuse()
    asking = Asking(runner, step)
    claim = {"runner": "other", "key": "other's", "attempt": 1, "heartbeats": True}
    assert server.client.post(f"/api/runner/{step}/claim", claim).status == 200
    asking.stop()
    proxy.restore()
    new_runner()
    eventually(lambda: reports(tmp_path) == [])
    assert (server.attempt(step), server.handed_back(step)) == (("RUNNING", 1), [False])


def test_a_claim_at_which_the_server_fails_is_left_and_the_next_step_runs(server: Server, runner: Runner) -> None:
    """As for a row that was spoilt. Who asked on would do nothing else any more."""
    spoilt = server.new_step()
    server.database.transact(spoil, spoilt)
    told: list[Any] = []
    with pytest.raises(Failing, match="internal server error"):
        runner.run(spoilt, 1, lambda: told.append("unheard"))
    assert (told, server.database.read(status, spoilt)) == ([], "READY")
    assert runner.run(server.new_step(), 1) == Outcome(exit_code=0)


def test_a_runner_that_was_asked_to_end_asks_for_nothing(server: Server, runner: Runner) -> None:
    step = server.new_step()
    runner.stop()
    with pytest.raises(Stopping):
        runner.run(step, 1)
    assert server.attempt(step) == ("READY", 1)
