"""The database or the API is away for longer than a lease while a step runs: the step is not to blame for it."""

from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Attempt
from app.models.clock import database_now
from tests.integration.tasks.system import System
from tests.support.postgres import PostgresServer
from tests.support.wait import eventually

LEASE_S = 12
SETTINGS = {
    "BUILDSERVER_LEASE_S": str(LEASE_S),
    "BUILDSERVER_HEARTBEAT_S": "0.5",
    "BUILDSERVER_SWEEP_INTERVAL_S": "0.2",
    "BUILDSERVER_LOG_LEVEL": "DEBUG",
}


class Scene:
    """A step that a runner has started, and that ends when it is told to; everything around it is real."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self._folder = system, folder
        started, ended = folder / "started", folder / "ended"
        script = f"echo $STEP_ATTEMPT >> '{started}'; until [ -e '{ended}' ]; do sleep 0.05; done"
        self.build = system.build({"runScript": script})
        system.settings |= SETTINGS
        self.api, self.orchestrator = system.api(), system.orchestrator()
        self.runner = system.runner()
        eventually(started.exists, describe=lambda: self.runner.text)

    def end_step(self) -> None:
        (self._folder / "ended").touch()

    def spend_leases(self) -> None:
        """Longer than the attempt's lease lasts."""
        until = monotonic() + LEASE_S + 2
        eventually(lambda: monotonic() > until)

    def wait_renewed(self) -> None:
        """Until the server has heard the runner again."""
        eventually(lambda: self.system.database.read(_is_held), describe=self._show)

    def judge(self) -> None:
        """The build succeeds, its step having been started once, and nobody was ever thought lost."""
        eventually(lambda: self.system.statuses(self.build) == ["SUCCESS", "SUCCESS"], describe=self._show)
        assert (self._folder / "started").read_text() == "1\n"
        assert "attempt overdue" not in self.orchestrator.text

    def _show(self) -> str:
        return f"{self.system.statuses(self.build)}\n{self.runner.text}\n{self.orchestrator.text}"


def _is_held(session: Session) -> bool:
    return session.scalars(select(Attempt.lease_expires_at)).one() > database_now(session)


@pytest.fixture
def on_postgresql(system_on_own_postgres: System, tmp_path: Path) -> Scene:
    return Scene(system_on_own_postgres, tmp_path)


@pytest.mark.parametrize("way", ["stopped", "frozen"])
def test_a_step_runs_on_while_the_database_is_away(
    on_postgresql: Scene, own_postgres: PostgresServer, way: str
) -> None:
    with own_postgres.away(way):
        on_postgresql.spend_leases()
    on_postgresql.wait_renewed()
    on_postgresql.end_step()
    on_postgresql.judge()


def test_the_report_of_a_step_that_ended_while_the_api_was_away_counts(system: System, tmp_path: Path) -> None:
    scene = Scene(system, tmp_path)
    scene.api.kill()
    scene.end_step()
    eventually(lambda: list(tmp_path.glob("work/reports/*.json")), describe=lambda: scene.runner.text)
    scene.spend_leases()
    system.api()
    scene.judge()


def test_a_step_cut_off_by_an_api_that_stays_away_is_handed_back_at_once(system: System, tmp_path: Path) -> None:
    """It is stopped before its lease is over, as nobody can say what the others see; and then not blamed for it."""
    scene = Scene(system, tmp_path)
    scene.api.kill()
    scene.spend_leases()
    system.api()
    scene.end_step()
    eventually(lambda: scene.system.statuses(scene.build) == ["SUCCESS", "SUCCESS"])
    assert (tmp_path / "started").read_text() == "1\n2\n"
    assert "attempt overdue" not in scene.orchestrator.text
