"""A server that was away longer than the lease, while the step had its end: one result counts, and only one."""

import json
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker import last_words
from tests.worker.conftest import LONG_LEASE, ON_SQLITE, NewRunner, Server
from worker.attempt import Outcome
from worker.report import Undelivered
from worker.runner import Runner

pytestmark = [ON_SQLITE, LONG_LEASE]

SCRIPT = """
touch '{0}/started-'$STEP_ATTEMPT
until [ -e '{0}/end-'$STEP_ATTEMPT ]; do sleep 0.05; done
"""


def reports(folder: Path) -> list[Path]:
    """Those that wait for the server."""
    return list(folder.glob("work/reports/*.json"))


def cut_short(log: Path) -> None:
    log.write_bytes(last_words.FIRST)


def into_a_pipe(log: Path) -> None:
    """As a hostile step could."""
    log.unlink()
    os.mkfifo(log)


class Outage:
    """A step whose first attempt has ended, and whose runner cannot say so; the server has given it up meanwhile."""

    def __init__(self, server: Server, runner: Runner, proxy: Proxy, folder: Path) -> None:
        self.server, self.proxy, self.folder = server, proxy, folder
        self.step = server.new_step(SCRIPT.format(folder))
        self.slots = ThreadPoolExecutor(2)
        self.first = self.start(runner, 1)
        proxy.refuse()
        self.end(1)
        eventually(lambda: list(folder.glob("work/reports/*.json")))
        server.revoke(self.step)

    def start(self, runner: Runner, attempt: int) -> Future[Outcome | None]:
        outcome = self.slots.submit(runner.run, self.step, attempt)
        eventually((self.folder / f"started-{attempt}").exists)
        return outcome

    def end(self, attempt: int) -> None:
        (self.folder / f"end-{attempt}").touch()

    def late_report(self) -> None:
        """The server is back, and hears of the first attempt."""
        self.proxy.restore()
        assert isinstance(self.first.exception(timeout=20), Undelivered)
        eventually(lambda: not list(self.folder.glob("work/reports/*.json")))


@pytest.fixture
def outage(server: Server, runner: Runner, proxy: Proxy, tmp_path: Path) -> Outage:
    return Outage(server, runner, proxy, tmp_path)


@pytest.fixture
def other(new_runner: NewRunner, server: Server, tmp_path: Path) -> Runner:
    """A runner on a machine that always reaches the server."""
    return new_runner(api_url=server.client.url, runner_name="other", work_dir=tmp_path / "elsewhere")


@pytest.mark.parametrize("late", ["before the next attempt", "during it", "after it"])
def test_of_two_attempts_that_ended_one_result_is_taken(
    outage: Outage, server: Server, other: Runner, late: str
) -> None:
    assert server.attempt(outage.step) == ("READY", 2)
    if late == "before the next attempt":
        outage.late_report()
        assert server.attempt(outage.step) == ("READY", 2)
    second = outage.start(other, 2)
    if late == "during it":
        outage.late_report()
        assert server.attempt(outage.step) == ("RUNNING", 2)
    outage.end(2)
    assert second.result(timeout=20) == Outcome(exit_code=0)
    if late == "after it":
        outage.late_report()
    assert server.attempt(outage.step) == ("SUCCESS", 2)
    assert (server.actions("step.expired"), server.actions("step.completed")) == (1, 1)
    assert server.client.get(f"/api/builds/{server.step(outage.step)['buildId']}").body["status"] == "SUCCESS"


def test_an_outcome_is_on_disk_while_the_log_waits_for_the_server(
    server: Server, runner: Runner, proxy: Proxy, tmp_path: Path
) -> None:
    """If the runner died now, neither the step nor its log would be lost."""
    with last_words.unheard(server, runner, proxy, tmp_path) as unheard:
        (kept,) = eventually(lambda: reports(tmp_path))
        assert json.loads(kept.read_text())["logBytes"] == len(last_words.ALL)
        assert kept.with_suffix(".log").read_bytes() == last_words.ALL
        assert not unheard.outcome.done()
        proxy.restore()
        assert unheard.outcome.result(timeout=20) == Outcome(exit_code=0)
    assert (server.status(unheard.step), server.log(unheard.step)) == ("SUCCESS", last_words.ALL)
    assert list(tmp_path.glob("work/reports/*")) == []


def test_the_end_of_a_log_outlives_the_runner_that_was_asked_to_end_while_the_server_was_away(
    server: Server, runner: Runner, proxy: Proxy, new_runner: NewRunner, tmp_path: Path
) -> None:
    with last_words.unheard(server, runner, proxy, tmp_path) as unheard:
        eventually(lambda: reports(tmp_path))
        runner.stop()
        assert isinstance(unheard.outcome.exception(timeout=20), Undelivered)
    new_runner()
    eventually(lambda: server.status(unheard.step) == "SUCCESS")
    assert server.log(unheard.step) == last_words.ALL
    eventually(lambda: list(tmp_path.glob("work/reports/*")) == [])


@pytest.mark.parametrize("spoil", [Path.unlink, cut_short, into_a_pipe])
def test_a_log_whose_end_was_lost_with_the_disk_says_so(
    server: Server,
    runner: Runner,
    proxy: Proxy,
    new_runner: NewRunner,
    tmp_path: Path,
    spoil: Callable[[Path], None],
) -> None:
    with last_words.unheard(server, runner, proxy, tmp_path) as unheard:
        eventually(lambda: reports(tmp_path))
        runner.stop()
        assert isinstance(unheard.outcome.exception(timeout=20), Undelivered)
    spoil(reports(tmp_path)[0].with_suffix(".log"))
    new_runner()
    eventually(lambda: server.status(unheard.step) == "SUCCESS")
    told = server.log(unheard.step)
    assert told.startswith(last_words.FIRST + "» the end of the log is missing".encode()), told
