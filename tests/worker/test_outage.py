"""A server that was away longer than the lease, while the step had its end: one result counts, and only one."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker import last_words
from tests.worker.conftest import LONG_LEASE, ON_SQLITE, NewRunner, Server
from tests.worker.processes import processes_of
from worker.attempt import Outcome
from worker.runner import Runner

pytestmark = [ON_SQLITE, LONG_LEASE]

SCRIPT = """
touch '{0}/started-'$STEP_ATTEMPT
until [ -e '{0}/end-'$STEP_ATTEMPT ]; do sleep 0.05; done
"""


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
        assert self.first.result(timeout=20) == Outcome(exit_code=0)
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
    """If the runner died now, the step need not run again."""
    step = server.new_step(f"until [ -e '{tmp_path}/end' ]; do sleep 0.05; done; echo last words")
    with ThreadPoolExecutor(1) as slot:
        running = slot.submit(runner.run, step)
        eventually(lambda: server.status(step) == "RUNNING")
        eventually(lambda: processes_of(tmp_path) != [])
        proxy.refuse()
        (tmp_path / "end").touch()
        (kept,) = eventually(lambda: list(tmp_path.glob("work/reports/*.json")))
        assert "the end of the log is missing" in kept.read_text()
        assert not running.done()
        proxy.restore()
        assert running.result(timeout=20) == Outcome(exit_code=0)
    assert (server.status(step), server.log(step)) == ("SUCCESS", b"last words\n")


def test_a_log_that_is_cut_short_says_so(
    server: Server, runner: Runner, proxy: Proxy, new_runner: NewRunner, tmp_path: Path
) -> None:
    """The runner was asked to end while the server was away: the rest of the log goes with it, the outcome does not."""
    with last_words.unheard(server, runner, proxy, tmp_path) as unheard:
        eventually(lambda: processes_of(tmp_path) == [])
        runner.stop()
        unheard.outcome.result(timeout=20)
    proxy.restore()
    new_runner()
    eventually(lambda: server.status(unheard.step) == "SUCCESS")
    told = server.log(unheard.step).decode()
    assert told.startswith("begun\n» the end of the log is missing"), told
