"""A runner interrupted at the worst moments: what it is just doing may hold any lock, and it still stops."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.wait import eventually
from tests.worker.by_hand import ROOT, ByHand
from tests.worker.conftest import ON_SQLITE, Server

INTERRUPTING = """
import os, signal, sys
from worker.__main__ import main
from worker.runner import Runner

class Leases(set):
    "The runner's own: whoever adds one holds the runner's lock."
    def add(self, lease):
        super().add(lease)
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):  # Python calls its handler between two instructions, so here
            pass

def begin_with_leases(self, *arguments, **options):
    begin(self, *arguments, **options)
    self._leases = Leases()

begin, Runner.__init__ = Runner.__init__, begin_with_leases
sys.exit(main())
"""


@ON_SQLITE
def test_a_runner_interrupted_while_it_holds_its_own_lock_hands_its_step_back(server: Server, tmp_path: Path) -> None:
    step = server.new_step("sleep 1000")
    status, _, errors = ByHand(server, tmp_path, ("-c", INTERRUPTING)).step(step)
    assert (status, errors.count("\n")) == (2, 1), errors
    assert (server.step(step)["status"], server.step(step)["attempt"]) == ("READY", 2)


def interrupted(process: subprocess.Popen[str]) -> int | None:
    process.send_signal(signal.SIGINT)
    return process.poll()


@ON_SQLITE
def test_an_impatient_person_who_interrupts_again_and_again_gets_the_same_end(server: Server, tmp_path: Path) -> None:
    step = server.new_step(f"trap '' TERM; touch '{tmp_path}/started'; while :; do sleep 0.1; done")
    with ByHand(server, tmp_path).start_step(step) as process:
        eventually((tmp_path / "started").exists)
        eventually(lambda: interrupted(process) is not None)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.count("\n")) == (2, 1), errors
    assert (server.step(step)["status"], server.step(step)["attempt"]) == ("READY", 2)


SHUTTING_DOWN = """
from celery.signals import worker_shutting_down
from tasks.runner import runner

runner.start()
with runner._changed, runner._stopping._cond:
    worker_shutting_down.send(sender="runner", sig="SIGTERM", how="Warm", exitcode=0)
runner._stopping.wait()
"""


def test_celerys_signal_handler_stops_the_runner_whatever_lock_is_held(tmp_path: Path) -> None:
    environ = {"BUILDSERVER_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SHUTTING_DOWN], env=environ, timeout=30, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
