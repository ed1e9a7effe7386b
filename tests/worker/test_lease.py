"""An attempt over a network that fails: it ends before the server may start the next one, and not sooner."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from urllib3 import BaseHTTPResponse, HTTPResponse, PoolManager

from app.models import Attempt
from app.models.clock import database_now
from app.services import leases
from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker import last_words
from tests.worker.conftest import LEASE_S, LONG_LEASE, ON_SQLITE, NewRunner, Server
from tests.worker.processes import processes_of
from worker.api import ApiClient, Claim, Refused, Unreachable
from worker.attempt import HANDED_BACK, Outcome
from worker.clock import clock
from worker.report import Undelivered
from worker.runner import Runner

pytestmark = ON_SQLITE

ENDLESS = "trap '' TERM; touch '{mark}'; setsid sleep 1000 & wait; sleep 1000"


def _lease_expires_at(session: Session) -> datetime:
    return session.scalars(select(Attempt.lease_expires_at)).one()


def _has_no_limit(session: Session) -> bool:
    """Whether the attempt's time limit counts no more: it lies where the lease ends."""
    return bool(session.scalars(select(Attempt).where(Attempt.deadline_at == Attempt.lease_expires_at)).all())


class Running:
    """A step that never ends by itself, on a runner."""

    def __init__(self, server: Server, runner: Runner, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.step = server.new_step(ENDLESS.format(mark=folder / "started"))
        self._slot = ThreadPoolExecutor(1)
        self.outcome: Future[Outcome | None] = self._slot.submit(runner.run, self.step)
        eventually((folder / "started").exists)

    def lease_expires_at(self) -> datetime:
        return self.server.database.read(_lease_expires_at)

    def server_now(self) -> datetime:
        return self.server.database.read(database_now)


@pytest.fixture
def running(server: Server, runner: Runner, tmp_path: Path) -> Running:
    return Running(server, runner, tmp_path)


def test_heartbeats_extend_the_lease(running: Running) -> None:
    first = running.lease_expires_at()
    eventually(lambda: running.lease_expires_at() != first)
    assert not running.outcome.done()


def test_a_runner_set_to_beat_more_seldom_than_a_lease_lasts_keeps_its_attempt(
    server: Server, new_runner: NewRunner, tmp_path: Path
) -> None:
    running = Running(server, new_runner(heartbeat_s=600.0), tmp_path)
    first = running.lease_expires_at()
    eventually(lambda: running.lease_expires_at() != first)
    assert not running.outcome.done()


def test_a_heartbeat_that_was_lost_is_made_up_for(running: Running, proxy: Proxy) -> None:
    proxy.cut_answers_after(10)
    before = running.lease_expires_at()
    eventually(lambda: running.lease_expires_at() != before)
    proxy.restore()
    again = running.lease_expires_at()
    eventually(lambda: running.lease_expires_at() != again)
    assert not running.outcome.done()


def test_heartbeats_say_that_the_step_has_ended_while_its_log_is_on_the_way(
    server: Server, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, append, may_go = server.new_step("echo text"), ApiClient.append_log, threading.Event()

    def wait(self: ApiClient, *arguments: Any) -> int:
        assert may_go.wait(30)
        return append(self, *arguments)

    monkeypatch.setattr(ApiClient, "append_log", wait)
    with ThreadPoolExecutor(1) as slot:
        outcome = slot.submit(runner.run, step)
        eventually(lambda: server.database.read(_has_no_limit))
        may_go.set()
        assert outcome.result(timeout=20) == Outcome(exit_code=0)
    assert server.log(step) == b"text\n"


@LONG_LEASE
def test_an_attempt_that_the_server_has_given_away_is_killed_and_not_reported(
    running: Running, server: Server, tmp_path: Path
) -> None:
    server.revoke(running.step)
    assert running.outcome.result(timeout=15) is None
    assert processes_of(tmp_path) == []
    assert (server.step(running.step)["status"], server.step(running.step)["attempt"]) == ("READY", 2)


@pytest.mark.parametrize("failing", [Proxy.refuse, Proxy.drop])
def test_a_runner_cut_off_from_the_server_ends_the_step_before_the_lease_does(
    running: Running, proxy: Proxy, tmp_path: Path, failing: Callable[[Proxy], None]
) -> None:
    failing(proxy)
    eventually(lambda: list(tmp_path.glob("work/reports/*.json")))
    assert processes_of(tmp_path) == []
    assert running.server_now() < running.lease_expires_at()
    assert running.server.status(running.step) == "RUNNING"
    proxy.restore()
    assert running.outcome.result(timeout=20) == HANDED_BACK
    assert running.server.attempt(running.step) == ("READY", 2)
    assert running.server.handed_back(running.step) == [True]


def test_the_fence_counts_from_when_the_claim_was_asked_for(
    server: Server, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's lease runs since before its answer: one that comes too late finds the lease over."""
    now, claim, answered = clock(), ApiClient.claim, threading.Event()

    def answer_late(self: ApiClient, *arguments: Any) -> Claim:
        answer = claim(self, *arguments)
        answered.set()
        return answer

    monkeypatch.setattr(ApiClient, "claim", answer_late)
    monkeypatch.setattr("worker.claiming.clock", lambda: now if answered.is_set() else now - LEASE_S)
    step = server.new_step(f"touch '{tmp_path}/ran'")
    assert runner.run(step) == HANDED_BACK
    assert server.attempt(step) == ("READY", 2)
    assert not (tmp_path / "ran").exists()


def test_a_claim_that_is_answered_at_last_has_its_whole_lease(
    server: Server, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first answers were lost, one for as long as a lease lasts."""
    claim = ApiClient.claim

    def lose_first(self: ApiClient, *arguments: Any) -> Claim:
        answer = claim(self, *arguments)
        if not tries:
            tries.append(answer)
            server.database.transact(leases.extend, step, "by-test", 1, 0.1)
            raise Unreachable("the answer was lost")
        assert server.database.read(_lease_expires_at) > server.database.read(database_now) + timedelta(seconds=1)
        return answer

    tries: list[Claim] = []
    monkeypatch.setattr(ApiClient, "claim", lose_first)
    monkeypatch.setattr("worker.claiming.clock", lambda: clock() if tries else clock() - LEASE_S)
    step = server.new_step("true")
    assert runner.run(step, 1, lambda: None) == Outcome(exit_code=0)


def test_a_claim_whose_answer_is_lost_is_repeated_and_the_step_runs_once(
    server: Server, runner: Runner, proxy: Proxy, tmp_path: Path
) -> None:
    step = server.new_step(f"echo ran >> '{tmp_path}/ledger'")
    proxy.cut_answers_after(10)
    with ThreadPoolExecutor(1) as slot:
        running = slot.submit(runner.run, step)
        eventually(lambda: server.status(step) == "RUNNING")
        proxy.restore()
        assert running.result(timeout=20) == Outcome(exit_code=0)
    assert (tmp_path / "ledger").read_text() == "ran\n"
    assert server.step(step)["attempt"] == 1


def test_a_claim_whose_answers_are_lost_for_long_is_answered_at_last_and_nobody_is_lost(
    server: Server, new_runner: NewRunner, runner: Runner, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message goes back meanwhile, as nobody can know; whoever takes it is told whose the attempt is."""
    monkeypatch.setattr("worker.claiming.CLAIM_PAUSE_S", 0.05)
    other = new_runner(api_url=server.client.url, runner_name="other", work_dir=tmp_path / "elsewhere")
    step = server.new_step(f"echo ran >> '{tmp_path}/ledger'")
    proxy.cut_answers_after(10)
    told = threading.Event()
    with ThreadPoolExecutor(1) as slot:
        running = slot.submit(runner.run, step, 1, told.set)
        assert told.wait(20)
        with pytest.raises(Refused, match="is being run by runner"):
            other.run(step, 1)
        proxy.restore()
        assert running.result(timeout=20) == Outcome(exit_code=0)
    assert (tmp_path / "ledger").read_text() == "ran\n"
    assert server.attempt(step) == ("SUCCESS", 1)


def test_a_server_that_is_away_leaves_the_step_unclaimed(server: Server, runner: Runner, proxy: Proxy) -> None:
    step = server.new_step()
    proxy.refuse()
    with pytest.raises(Unreachable):
        runner.run(step)
    assert server.status(step) == "READY"


def test_a_server_away_between_claim_and_fetch_is_waited_for(
    server: Server, runner: Runner, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = server.new_step()
    fetch = runner._client.program
    tries: list[str] = []

    def away_at_first(step_id: str, part: str) -> bytes:
        tries.append(part)
        if len(tries) == 1:
            proxy.refuse()
        else:
            proxy.restore()
        return fetch(step_id, part)

    monkeypatch.setattr(runner._client, "program", away_at_first)
    assert runner.run(step) == Outcome(exit_code=0)
    assert tries == ["checkout", "checkout", "run"]


def test_a_runner_that_stops_while_the_server_is_away_still_ends(
    running: Running, runner: Runner, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.refuse()
    runner.stop()
    assert isinstance(running.outcome.exception(timeout=15), Undelivered)
    assert len(list((tmp_path / "work/reports").glob("*.json"))) == 1


def test_two_runners_on_one_work_folder_do_not_disturb_each_other(
    server: Server, new_runner: NewRunner, tmp_path: Path
) -> None:
    first = new_runner()
    running = Running(server, first, tmp_path)
    second = new_runner(runner_name="second")
    other = server.new_step("echo other")
    assert second.run(other) == Outcome(exit_code=0)
    assert len(list((tmp_path / "work").glob("attempt-*"))) == 1
    assert not running.outcome.done()
    first.stop()
    assert running.outcome.result(timeout=15) == HANDED_BACK


def test_no_fence_ends_what_is_left_of_an_attempt_whose_step_has_ended(
    server: Server, runner: Runner, proxy: Proxy, tmp_path: Path
) -> None:
    """The server is away for longer than the lease; the rest of the log waits for it all the same."""
    with last_words.unheard(server, runner, proxy, tmp_path) as unheard:
        eventually(lambda: list(tmp_path.glob("work/reports/*.json")))
        over = clock() + LEASE_S
        eventually(lambda: clock() > over)
        proxy.restore()
        assert unheard.outcome.result(timeout=20) == Outcome(exit_code=0)
    assert server.log(unheard.step) == last_words.ALL


@pytest.mark.parametrize("path", ["", "/heartbeat", "/complete"])
def test_a_proxy_s_404_while_the_server_is_away_ends_no_attempt(
    server: Server, runner: Runner, monkeypatch: pytest.MonkeyPatch, path: str, tmp_path: Path
) -> None:
    """As with an ingress that has no server behind it for a moment."""
    step, send = server.new_step(f"until [ -e '{tmp_path}/end' ]; do sleep 0.05; done"), PoolManager.request
    refused: list[str] = []

    def request(self: PoolManager, method: str, url: str, **options: Any) -> BaseHTTPResponse:
        if url.partition("?")[0].endswith(f"{step}{path}") and len(refused) < 2:
            refused.append(url)
            return HTTPResponse(b"404 page not found\n", status=404, preload_content=True)
        return send(self, method, url, **options)

    monkeypatch.setattr(PoolManager, "request", request)
    with ThreadPoolExecutor(1) as slot:
        outcome = slot.submit(runner.run, step)
        eventually(lambda: len(refused) == 2 or path == "/complete")
        (tmp_path / "end").touch()
        assert outcome.result(timeout=20) == Outcome(exit_code=0)
    assert (len(refused), server.attempt(step)) == (2, ("SUCCESS", 1))
