"""A step that kills the runner that runs it: it fails for that, and the others do not."""

from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.models import StepRun
from app.models.clock import database_now
from tests.integration.tasks.system import System
from tests.support.wait import eventually
from tests.worker.conftest import ON_SQLITE
from tests.worker.execution import naming
from tests.worker.processes import processes_of

pytestmark = ON_SQLITE

POISON = naming("$(parent_of $PPID)") + "kill -KILL $(parent_of $guard); sleep 1000"
SETTINGS = {"BUILDSERVER_LEASE_S": "600", "BUILDSERVER_SWEEP_INTERVAL_S": "0.2"}
"""No lease is over in time: that its runner died is told by the next one on its disk."""


@pytest.fixture
def fleet(system: System) -> System:
    """Everything but runners."""
    system.settings |= SETTINGS
    system.api()
    system.orchestrator()
    return system


def planned(system: System, **step: Any) -> str:
    """A new build of one step."""
    build = system.build(step)
    system.celery.send_task("builds.plan", (build,))
    return build


def end_pause(session: Session, step_id: str) -> None:
    """As if it had been as long as it has to be."""
    session.execute(update(StepRun).where(StepRun.id == step_id).values(redispatch_at=database_now(session)))


def test_a_step_that_kills_three_runners_fails_and_costs_others_nothing(fleet: System, tmp_path: Path) -> None:
    started, end = tmp_path / "started", tmp_path / "end"
    innocent = planned(fleet, pool="apart", runScript=f"touch '{started}'; until [ -e '{end}' ]; do sleep 0.05; done")
    apart = fleet.runner(BUILDSERVER_POOL="apart", BUILDSERVER_WORK_DIR=str(tmp_path / "apart"))
    eventually(started.exists, describe=lambda: apart.text)

    poisonous = planned(fleet, runScript=POISON)
    (step,) = fleet.step_ids(poisonous)
    for _ in range(2):
        assert fleet.runner().process.wait(20) == -SIGKILL
    third = fleet.runner()
    eventually(lambda: fleet.step(step).attempt == 3, describe=lambda: third.text)
    other = planned(fleet)
    eventually(lambda: fleet.statuses(other) == ["SUCCESS", "SUCCESS"], describe=lambda: third.text)
    assert fleet.statuses(poisonous) == ["RUNNING", "READY"]
    fleet.database.transact(end_pause, step)
    assert third.process.wait(20) == -SIGKILL

    fourth = fleet.runner()
    eventually(lambda: fleet.statuses(poisonous) == ["FAILED", "FAILED"], describe=lambda: fourth.text)
    assert fleet.step(step).reason == "lost"
    assert [(attempt.reason, attempt.handed_back) for attempt in fleet.attempts(step)] == [("lost", False)] * 3
    another = planned(fleet)
    eventually(lambda: fleet.statuses(another) == ["SUCCESS", "SUCCESS"], describe=lambda: fourth.text)
    assert processes_of(tmp_path / "work") == []

    assert fleet.statuses(innocent) == ["RUNNING", "RUNNING"]
    end.touch()
    eventually(lambda: fleet.statuses(innocent) == ["SUCCESS", "SUCCESS"], describe=lambda: apart.text)
    assert [attempt.reason for attempt in fleet.attempts(*fleet.step_ids(innocent))] == [None]
