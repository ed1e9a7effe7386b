"""Step runs, read and changed: every change of a status goes through `change`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session, undefer

from app.domain.errors import Conflict, NotFound
from app.domain.transitions import StepEvent, move
from app.models import Attempt, Build, StepRun
from app.services import builds


@dataclass(frozen=True)
class BuildDetail:
    """A build with its step runs, in the workflow's order and with their definitions."""

    build: Build
    steps: Sequence[StepRun]


def get(session: Session, step_id: str) -> StepRun:
    """The step run with its definition, or NotFound."""
    run = session.get(StepRun, step_id, options=[undefer(StepRun.definition)])
    if run is None:
        raise NotFound("Step run")
    return run


def of_build(session: Session, build_id: str) -> BuildDetail:
    """The build and everything in it; the cost is that of its steps."""
    build = builds.get(session, build_id)
    query = select(StepRun).where(StepRun.build_id == build.id).order_by(StepRun.position)
    return BuildDetail(build, session.scalars(query.options(undefer(StepRun.definition))).all())


def attempts(session: Session, step_id: str) -> Sequence[Attempt]:
    """A step run's attempts, oldest first; one that nobody claimed has none."""
    run = get(session, step_id)
    return session.scalars(select(Attempt).where(Attempt.step_run_id == run.id).order_by(Attempt.number)).all()


def lock(session: Session, step_id: str) -> tuple[Build, StepRun]:
    """The step run as it is now, and its build, which is locked until the transaction ends."""
    build = builds.lock(session, get(session, step_id).build_id)
    query = select(StepRun).where(StepRun.id == step_id).execution_options(populate_existing=True)
    return build, session.scalars(query.options(undefer(StepRun.definition))).one()


def lock_attempt(session: Session, run: StepRun, number: int) -> Attempt | None:
    """An attempt as it is now, held until the transaction ends; after its build, if that is locked too.

    A heartbeat and a piece of the log lock the attempt alone, so the build's lock does not hold them off.
    """
    return session.get(Attempt, (run.id, number), populate_existing=True, with_for_update=True)


def change(session: Session, run: StepRun, event: StepEvent, **values: Any) -> None:
    """Move one step run, guarded on the status and the attempt the decision was made for.

    IllegalMove where the table has no such move; Conflict where somebody else was faster, and nothing is changed then.
    """
    guard = (StepRun.id == run.id, StepRun.status == run.status, StepRun.attempt == run.attempt)
    after = move(run.status, event)
    result = session.execute(update(StepRun).where(*guard).values(status=after, **values))
    if changed_rows(result) != 1:
        raise Conflict(
            f"step run '{run.name}' changed at the same moment; ask again for its status", "changed_meanwhile"
        )
    session.refresh(run)


def changed_rows(result: Any) -> int:
    """How many rows a statement changed."""
    assert isinstance(result, CursorResult)
    return result.rowcount
