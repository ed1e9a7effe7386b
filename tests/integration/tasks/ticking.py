"""A step whose attempts write down many times a second that they live, in a ledger that nobody can mislead."""

from collections import defaultdict
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.vocabulary import Reason
from app.models import AuditEntry, LogChunk
from tests.integration.tasks.system import System
from tests.support.program import Program
from tests.support.wait import eventually
from worker.clock import clock

LEASE_S = 4.0
SETTINGS = {
    "BUILDSERVER_LEASE_S": str(LEASE_S),
    "BUILDSERVER_HEARTBEAT_S": "0.5",
    "BUILDSERVER_SWEEP_INTERVAL_S": "0.2",
    "BUILDSERVER_CLAIM_DEADLINE_S": "3600",
}
"""Whoever is lost is soon found to be; no message is sent twice."""
UPTIME_S = 0.01
"""The kernel tells scripts the time since it started cut off to so much; it is otherwise that of `worker.clock`."""
SCRIPT = """
tick() {{
    until [ -e "{0}/end-$STEP_ATTEMPT" ]; do
        read -r now _ < /proc/uptime
        echo "$STEP_ATTEMPT $now" >> '{0}/ledger'
        sleep 0.05
    done
}}
export -f tick
echo "attempt $STEP_ATTEMPT"
setsid bash -c tick &
tick
"""


class Ticking:
    """The only step of a build, on a system with everything but a runner. No attempt ends before it is told to."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self._folder = system, folder
        (folder / "ledger").touch()
        self.build = system.build({"runScript": SCRIPT.format(folder)})
        (self.step,) = system.step_ids(self.build)
        system.settings |= SETTINGS
        system.api()
        self.orchestrator = system.orchestrator()

    def runner(self, name: str, **settings: str) -> Program:
        """One of a name, and on a disk of its own."""
        own = {"BUILDSERVER_RUNNER_NAME": name, "BUILDSERVER_WORK_DIR": str(self.work_dir(name))}
        return self.system.runner(**own, **settings)

    def work_dir(self, runner: str) -> Path:
        return self._folder / f"work-{runner}"

    def wait_let_go(self, runner: str) -> None:
        """Until the runner has done with whatever it held: its report is answered, and the folders are gone."""
        eventually(lambda: not list(self.work_dir(runner).glob("*-*")), describe=self._show)
        eventually(lambda: not list(self.work_dir(runner).glob("reports/*")), describe=self._show)

    def wait_started(self, attempt: int, runner: Program) -> None:
        eventually(lambda: self.lived(attempt), describe=lambda: f"{self.orchestrator.text}\n{runner.text}")

    def end(self, attempt: int) -> None:
        (self._folder / f"end-{attempt}").touch()

    def lived(self, attempt: int) -> list[float]:
        """When something of the attempt wrote, by `worker.clock`."""
        lines = (line.split() for line in (self._folder / "ledger").read_text().splitlines())
        return [float(at) for number, at in lines if int(number) == attempt]

    def overlap(self) -> list[float]:
        """When something of the first attempt wrote although the second one had begun."""
        return [at for at in self.lived(1) if at >= self.lived(2)[0]]

    def wait_leases(self, count: int) -> None:
        """Until so many more leases are over."""
        over = clock() + count * LEASE_S
        eventually(lambda: clock() > over)

    def wait_succeeded(self) -> None:
        eventually(lambda: self.system.statuses(self.build) == ["SUCCESS", "SUCCESS"], describe=self._show)

    def results(self) -> list[Reason | None]:
        """Why each attempt failed, by its number; None for one that succeeded, or still runs."""
        return [attempt.reason for attempt in self.system.attempts(self.step)]

    def printed(self) -> dict[int, bytes]:
        """What the server has of each attempt's log; of an attempt that printed nothing, nothing."""
        return self.system.database.read(_printed, self.step)

    def trail(self) -> list[str]:
        """Everything that ever happened to the step."""
        return self.system.database.read(_trail, self.step)

    def _show(self) -> str:
        return f"{self.system.statuses(self.build)}, {self.trail()}\n{self.orchestrator.text}"


def _printed(session: Session, step_id: str) -> dict[int, bytes]:
    printed: defaultdict[int, bytes] = defaultdict(bytes)
    query = select(LogChunk).where(LogChunk.step_run_id == step_id)
    for chunk in session.scalars(query.order_by(LogChunk.attempt, LogChunk.start)):
        printed[chunk.attempt] += chunk.content
    return dict(printed)


def _trail(session: Session, step_id: str) -> list[str]:
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [str(entry.action) for entry in entries if entry.details.get("stepId") == step_id]
