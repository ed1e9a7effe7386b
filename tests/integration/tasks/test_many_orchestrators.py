"""Many orchestrators at once, most of which die: whoever is left ends what the others began, and nothing runs twice."""

import signal
from functools import partial
from pathlib import Path

from config import commands
from tests.integration.tasks.gated import Gates
from tests.integration.tasks.system import System
from tests.support.wait import eventually

OFTEN = {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2", "BUILDSERVER_CLAIM_DEADLINE_S": "0.5", "BUILDSERVER_RUNNERS": "4"}
ORCHESTRATORS = 6
BUILDS = 10


def test_of_six_orchestrators_five_are_killed_and_every_step_runs_once(system: System, tmp_path: Path) -> None:
    system.settings |= OFTEN
    system.api()
    at_work = [system.start(commands.orchestrator()) for _ in range(ORCHESTRATORS)]
    for each in at_work:
        each.wait_line(" ready.")
    gates = Gates(system, tmp_path)
    names = [(f"first {number}", f"second {number}") for number in range(BUILDS)]
    for pair in names:
        gates.open(*pair)
        gates.chain(pair)
    system.runner()
    for killed, doomed in enumerate(at_work[1:], start=1):
        eventually(partial(started_more, gates, killed))
        doomed.send(signal.SIGKILL)
    gates.wait_for_the_end()
    assert gates.started() == {f"{name} 1": 1 for pair in names for name in pair}
    assert [each.process.poll() for each in at_work] == [None, *[-signal.SIGKILL] * (ORCHESTRATORS - 1)]


def started_more(gates: Gates, than: int) -> bool:
    return len(gates.started()) > than
