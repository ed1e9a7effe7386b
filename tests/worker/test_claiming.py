"""A claim that is not answered, or with a failure of the server: what becomes of the attempt, and of others."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models import StepRun
from config.settings import Settings
from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker.conftest import LONG_LEASE, ON_SQLITE, NewRunner, Server
from worker.api import ApiClient, Claim, Failing, Unreachable
from worker.attempt import Outcome
from worker.claiming import Claiming, Unanswered
from worker.report import Reporter, Undelivered
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
def test_of_two_claims_of_one_attempt_each_is_handed_back_for_itself(
    server: Server, runner: Runner, proxy: Proxy, new_runner: NewRunner, tmp_path: Path
) -> None:
    """As when a runner takes its own message again: the one that got nothing must not stand for the one that did."""
    step = server.new_step()
    proxy.cut_answers_after(10)
    first = Asking(runner, step)
    second = Asking(runner, step)
    proxy.refuse()
    first.stop()
    second.stop()
    assert len(reports(tmp_path)) == 2
    proxy.restore()
    new_runner()
    eventually(lambda: server.attempt(step) == ("READY", 2))
    eventually(lambda: reports(tmp_path) == [])


@LONG_LEASE
def test_what_a_claim_may_have_got_is_on_disk_as_soon_as_its_runner_is_asked_to_end(
    server: Server, runner: Runner, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked it may wait for less than an answer takes, and then kills it."""
    step, claim, asked = server.new_step(), ApiClient.claim, threading.Event()

    def ask(self: ApiClient, step_id: str, runner: str, attempt: int | None, key: str) -> Claim:
        asked.set()
        return claim(self, step_id, runner, attempt, key)

    monkeypatch.setattr(ApiClient, "claim", ask)
    proxy.drop()
    with ThreadPoolExecutor(1) as slot:
        outcome = slot.submit(runner.run, step, 1, lambda: None)
        assert asked.wait(20)
        assert reports(tmp_path) == []
        runner.stop()
        assert len(reports(tmp_path)) == 1
        proxy.refuse()
        assert isinstance(outcome.exception(timeout=20), Unanswered)


def test_a_claim_that_begins_after_the_stop_has_looked_is_on_disk_before_it_is_asked(
    server: Server, runner_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, stopping, on_disk = ApiClient(runner_settings.api_url), threading.Event(), []

    def ask(*_: Any) -> Claim:
        on_disk.append(len(reports(tmp_path)))
        raise Unreachable("no answer")

    monkeypatch.setattr(ApiClient, "claim", ask)
    stopping.set()
    claiming = Claiming(client, "by-test", Reporter(client, runner_settings.work_dir, stopping), stopping)
    with pytest.raises(Unanswered):
        claiming.claim(server.new_step(), 1, lambda: None)
    assert on_disk == [1]


@LONG_LEASE
def test_a_claim_that_is_answered_at_last_leaves_nothing_to_hand_back(
    server: Server, runner: Runner, proxy: Proxy, tmp_path: Path
) -> None:
    step = server.new_step()
    proxy.refuse()
    asking = Asking(runner, step)
    assert len(reports(tmp_path)) == 1
    proxy.restore()
    assert asking.outcome.result(timeout=20) == Outcome(exit_code=0)
    assert reports(tmp_path) == []


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


@LONG_LEASE
def test_a_claim_by_hand_that_is_given_up_hands_back_what_it_got(
    server: Server, runner: Runner, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.claiming.CLAIM_PATIENCE_S", 0)
    step = server.new_step()
    proxy.cut_answers_after(10)
    with pytest.raises(Unanswered):
        runner.run(step)
    eventually(lambda: server.attempt(step) == ("READY", 2))
    assert server.handed_back(step) == [True]


def test_a_claim_at_which_the_server_fails_is_left_and_the_next_step_runs(server: Server, runner: Runner) -> None:
    """As for a row that was spoilt. Who asked on would do nothing else any more."""
    spoilt = server.new_step()
    server.database.transact(spoil, spoilt)
    told: list[Any] = []
    with pytest.raises(Failing, match="internal server error"):
        runner.run(spoilt, 1, lambda: told.append("unheard"))
    assert (told, server.database.read(status, spoilt)) == ([], "READY")
    assert runner.run(server.new_step(), 1) == Outcome(exit_code=0)


@LONG_LEASE
def test_a_claim_that_was_heard_before_the_server_failed_at_it_is_handed_back(
    server: Server, runner: Runner, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.claiming.CLAIM_PATIENCE_S", 0)
    step, claim = server.new_step(), ApiClient.claim
    tries: list[str] = []

    def failing_after_the_first(self: ApiClient, step_id: str, runner: str, attempt: int | None, key: str) -> Claim:
        tries.append(key)
        if len(tries) > 1:
            proxy.restore()
            raise Failing("internal server error")
        return claim(self, step_id, runner, attempt, key)

    monkeypatch.setattr(ApiClient, "claim", failing_after_the_first)
    proxy.cut_answers_after(10)
    with pytest.raises(Unanswered):
        runner.run(step, 1, lambda: None)
    assert (server.attempt(step), server.handed_back(step)) == (("READY", 2), [True])


def test_a_result_at_which_the_server_fails_for_long_waits_on_disk_and_frees_its_slot(
    server: Server, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.report.FAILING_PATIENCE_S", 0.2)
    step = server.new_step(f"touch '{tmp_path}/started'; until [ -e '{tmp_path}/go' ]; do sleep 0.02; done")
    with ThreadPoolExecutor(1) as slot:
        outcome = slot.submit(runner.run, step, 1)
        eventually((tmp_path / "started").exists)
        server.database.transact(spoil, step)
        (tmp_path / "go").touch()
        assert isinstance(outcome.exception(timeout=20), Undelivered)
    assert len(reports(tmp_path)) == 1
    assert runner.run(server.new_step(), 1) == Outcome(exit_code=0)


def test_a_runner_that_was_asked_to_end_asks_for_nothing(server: Server, runner: Runner) -> None:
    step = server.new_step()
    runner.stop()
    with pytest.raises(Stopping):
        runner.run(step, 1)
    assert server.attempt(step) == ("READY", 1)
