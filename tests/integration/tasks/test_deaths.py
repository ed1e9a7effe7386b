"""Programs that are killed or asked to end in the middle of something; what they held is carried on."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.services import builds
from config import commands
from tests.integration.tasks.system import System
from tests.support.program import ROOT, Program
from tests.support.wait import eventually

OFTEN = {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2"}


@contextmanager
def locked(system: System, build_id: str) -> Iterator[None]:
    """Somebody else holds the build's row, so that whoever plans it is stuck in the middle."""
    held, free = threading.Event(), threading.Event()

    def take(session: Session) -> None:
        builds.lock(session, build_id)
        held.set()
        free.wait()

    def hold() -> None:
        system.database.transact(take)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        yield
    finally:
        free.set()
        holder.join()


def swept(system: System) -> Program:
    """An orchestrator that has nothing left to do."""
    orchestrator = system.start(commands.orchestrator(), BUILDSERVER_LOG_LEVEL="DEBUG")
    orchestrator.wait_line("swept")
    system.wait_idle()
    return orchestrator


def test_an_orchestrator_killed_in_the_middle_is_followed_by_the_next_one(system: System) -> None:
    first = swept(system)
    build = system.build()  # after the sweep, which would plan it on a machine that takes its time to start
    with locked(system, build):
        system.celery.send_task("builds.plan", (build,))
        first.wait_line("planning")
        first.send(signal.SIGKILL)
        first.process.wait()
    assert system.statuses(build) == ["PENDING", "PENDING"]
    system.orchestrator(**OFTEN)
    eventually(lambda: system.queued("run.default"))
    assert system.queued("run.default") == [("steps.run", [*system.step_ids(build), 1])]


def test_an_orchestrator_asked_to_end_finishes_what_it_began(system: System) -> None:
    orchestrator = swept(system)
    build = system.build()
    with locked(system, build):
        system.celery.send_task("builds.plan", (build,))
        orchestrator.wait_line("planning")
        orchestrator.send(signal.SIGTERM)
        eventually(lambda: "Warm shutdown" in orchestrator.text)
    assert orchestrator.process.wait(20) == 0
    assert system.statuses(build) == ["PENDING", "READY"], orchestrator.text
    assert system.queued("run.default") == [("steps.run", [*system.step_ids(build), 1])]
    assert system.unacknowledged() == 0


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Every attempt writes its number here when it starts."""
    path = tmp_path / "ledger"
    path.touch()
    return path


def long_build(system: System, ledger: Path, lease_s: str) -> str:
    """A build whose first attempt never ends by itself and whose later ones do, on a system with everything but a
    runner."""
    script = f'echo "$STEP_ATTEMPT" >> "{ledger}"; if [ "$STEP_ATTEMPT" = 1 ]; then sleep 1000; fi'
    build = system.build({"runScript": script})
    system.settings |= {"BUILDSERVER_LEASE_S": lease_s, "BUILDSERVER_HEARTBEAT_S": "0.5", **OFTEN}
    system.api()
    system.orchestrator()
    return build


def test_a_killed_runner_s_step_is_run_again_by_another(system: System, ledger: Path, tmp_path: Path) -> None:
    """On another disk, so that nothing but the end of the lease says that the first one is dead."""
    build = long_build(system, ledger, lease_s="3")
    first = system.runner()
    eventually(lambda: ledger.read_text() == "1\n", describe=lambda: first.text)
    first.send(signal.SIGKILL)
    first.process.wait()
    system.runner(BUILDSERVER_RUNNER_NAME="second", BUILDSERVER_WORK_DIR=str(tmp_path / "elsewhere"))
    eventually(lambda: system.statuses(build) == ["SUCCESS", "SUCCESS"])
    assert ledger.read_text() == "1\n2\n"
    (step,) = system.step_ids(build)
    assert [attempt.reason for attempt in system.attempts(step)] == ["lost", None]


def test_a_runner_asked_to_end_hands_its_attempt_back_at_once(system: System, ledger: Path) -> None:
    """The lease would last for a day, so it is not the sweep that notices."""
    build = long_build(system, ledger, lease_s="86400")
    first = system.runner()
    eventually(lambda: ledger.read_text() == "1\n", describe=lambda: first.text)
    assert first.stop() == 0
    (step,) = system.step_ids(build)
    assert (system.step(step).attempt, system.step(step).status) == (2, "READY")
    system.runner(BUILDSERVER_RUNNER_NAME="second")
    eventually(lambda: system.statuses(build) == ["SUCCESS", "SUCCESS"])
    assert ledger.read_text() == "1\n2\n"


TAKES_ONE_MORE = "from tasks import runner; runner.runner.stop(); runner.run({step!r}, 2)"


def test_a_message_that_meets_a_runner_asked_to_end_goes_back_for_another(system: System) -> None:
    """The next attempt's message may be on its way before the runner that handed it back is gone."""
    (step,) = system.step_ids(system.build())
    words = [sys.executable, "-c", TAKES_ONE_MORE.format(step=step)]
    environ = {**os.environ, **system.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(words, env=environ, cwd=system.folder, check=True)
    assert system.queued("run.default") == [("steps.run", [step, 2])]


def test_three_messages_for_an_attempt_run_it_once(system: System, ledger: Path) -> None:
    """It runs until the other two have been refused."""
    script = f"echo started >> '{ledger}'; until [ -e '{ledger}.go' ]; do sleep 0.05; done"
    build = system.build({"runScript": script}, {"name": "after", "dependsOn": ["only"]})
    system.settings |= OFTEN
    system.api()
    system.orchestrator()
    step = system.step_ids(build)[0]
    for _ in range(3):
        system.celery.send_task("steps.run", (step, 1), queue="run.default")
    runner = system.runner(BUILDSERVER_RUNNERS="4")
    eventually(lambda: len(runner.lines("step not run: the server says no")) >= 2, describe=lambda: runner.text)
    Path(f"{ledger}.go").touch()
    eventually(lambda: system.statuses(build) == ["SUCCESS", "SUCCESS", "SUCCESS"])
    assert ledger.read_text() == "started\n"
