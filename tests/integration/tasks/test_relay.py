"""The relay and the ticker against a real Redis: order, overflow, a broker that is away, and the end."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.models.hints import DISPATCH, PLAN, Hint
from config.settings import load_settings
from tasks import relay as module
from tasks.celery_app import make_celery
from tasks.relay import Relay
from tasks.ticker import Ticker
from tests.integration.tasks.system import System
from tests.support.program import ROOT
from tests.support.wait import eventually

UNREACHABLE, BACK = "broker unreachable; the sweep will find the work", "broker is back"


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """No row is read or written here, so one kind of database does."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'buildserver.db')}"


def relay_of(system: System) -> Relay:
    return Relay(make_celery(load_settings(system.environ)))


def test_hints_are_sent_in_the_order_in_which_they_were_left(system: System) -> None:
    hints = [Hint(PLAN if number % 2 else DISPATCH, str(number)) for number in range(50)]
    relay_of(system).put(hints)
    eventually(lambda: len(system.queued("orchestrate")) == 50)
    assert system.queued("orchestrate") == [(hint.task, [hint.build_id]) for hint in hints]


def test_what_does_not_fit_is_dropped_with_one_line_and_the_rest_is_sent(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the broker is frozen the relay's thread holds one hint, and its queue three more."""
    monkeypatch.setattr(module, "CAPACITY", 3)
    relay = relay_of(system)
    relay.put([Hint(PLAN, "sent before")])
    eventually(lambda: len(system.queued("orchestrate")) == 1)
    system.broker.freeze()
    with capture_logs() as lines:
        relay.put([Hint(PLAN, str(number)) for number in range(10)])
    assert [line["event"] for line in lines].count("hints dropped; the sweep will find the work") == 1
    system.broker.thaw()
    eventually(lambda: len(system.queued("orchestrate")) >= 4)
    assert len(system.queued("orchestrate")) <= 5


def test_an_outage_is_told_of_once_and_its_end_too(system: System) -> None:
    relay = relay_of(system)
    with capture_logs() as lines:
        system.broker.stop()
        relay.put([Hint(PLAN, str(number)) for number in range(50)])
        eventually(lambda: any(line["event"] == UNREACHABLE for line in lines))
        eventually(lambda: relay.waiting == 0)
        system.broker.start()
        relay.put([Hint(PLAN, "after")] * 3)  # the first may find its connection dead
        eventually(lambda: any(line["event"] == BACK for line in lines))
    told = [line["event"] for line in lines if line["event"] in (UNREACHABLE, BACK)]
    assert told == [UNREACHABLE, BACK]
    assert ("builds.plan", ["after"]) in system.queued("orchestrate")


def test_the_first_tick_comes_at_once_and_the_last_before_the_stop() -> None:
    ticks: list[int] = []
    ticked = threading.Event()

    def tick() -> None:
        ticks.append(1)
        ticked.set()

    ticker = Ticker(3_600, tick)
    ticker.start()
    assert ticked.wait(20)
    ticker.request_stop()
    eventually(lambda: "sweep ticker" not in {thread.name for thread in threading.enumerate()})
    assert ticks == [1]


INTERRUPTED = """
import signal
from tasks.orchestrator import stop_sweeping, ticker

def again(*_):
    stop_sweeping()

ticker.start()
signal.signal(signal.SIGALRM, again)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(100_000):
    stop_sweeping()
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_whoever_asks_an_orchestrator_to_end_may_interrupt_himself(system: System) -> None:
    """Celery asks from its signal handler, and the next signal may come while it does."""
    environ = {**system.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], env=environ, timeout=30, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_pauses_differ_by_a_fifth_at_most() -> None:
    pauses = [Ticker(10, lambda: None).pause_s() for _ in range(1_000)]
    assert 8 <= min(pauses) < 9
    assert 11 < max(pauses) <= 12


def test_a_ticker_goes_on_ticking_while_the_broker_is_away(system: System) -> None:
    celery = make_celery(load_settings(system.environ))
    tries: list[int] = []

    def tick() -> None:
        tries.append(1)
        celery.send_task("maintenance.sweep")

    ticker = Ticker(0.02, tick)
    system.broker.stop()
    with capture_logs() as lines:
        ticker.start()
        eventually(lambda: len(tries) > 3)
        system.broker.start()
        eventually(lambda: system.queued("orchestrate"))
        eventually(lambda: len(lines) > 1)  # a message is queued before its sender says so
        ticker.request_stop()
    assert [line["event"] for line in lines][:2] == [UNREACHABLE, BACK]
