"""Hands ready step runs to the pools: READY rows are the outbox, and stamping one says that its message was sent.

A message may be lost after the stamp. Nobody claims the step then, `redispatch_at` passes, and the sweep stamps it
again and sends another; the claim decides, so that a second message starts nothing twice.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app.domain.vocabulary import StepStatus
from app.models import StepRun
from app.models.batches import batches
from app.models.clock import database_now

MAX_BACKOFF = 6
"""Doublings of the claim deadline: an unclaimed step is offered again after 20 s, 40 s, … and at most 21 minutes."""
SWEEP_LIMIT = 500


@dataclass(frozen=True)
class Dispatch:
    """A message to send: which attempt of which step run, to which pool, and whose it is."""

    step_id: str
    attempt: int
    pool: str
    build_id: str
    project_id: str


def dispatch_build(session: Session, build_id: str, claim_deadline_s: float) -> list[Dispatch]:
    """Stamp the build's ready steps that were never sent; the caller sends them after the commit."""
    fresh = (StepRun.build_id == build_id, StepRun.dispatched_at.is_(None))
    return _stamp(session, fresh, claim_deadline_s, limit=None)


def dispatch_due(session: Session, claim_deadline_s: float) -> list[Dispatch]:
    """Stamp ready steps of any build that should have been claimed by now, the longest waiting first."""
    due = (StepRun.redispatch_at < database_now(session) - timedelta(seconds=1),)
    return _stamp(session, due, claim_deadline_s, SWEEP_LIMIT)


def _stamp(
    session: Session, which: Sequence[ColumnElement[bool]], claim_deadline_s: float, limit: int | None
) -> list[Dispatch]:
    wanted = (StepRun.id, StepRun.attempt, StepRun.pool, StepRun.build_id, StepRun.project_id, StepRun.dispatches)
    query = select(*wanted).where(StepRun.status == StepStatus.READY, *which)
    rows = session.execute(
        query.order_by(StepRun.redispatch_at, StepRun.position).limit(limit).with_for_update(skip_locked=True)
    ).all()
    now = database_now(session)
    by_dispatches: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        by_dispatches[row.dispatches].append(row.id)
    for dispatches, step_ids in by_dispatches.items():
        _write_stamp(session, step_ids, dispatches + 1, now, claim_deadline_s)
    return [Dispatch(row.id, row.attempt, row.pool, row.build_id, row.project_id) for row in rows]


def _write_stamp(
    session: Session, step_ids: Sequence[str], dispatches: int, now: datetime, claim_deadline_s: float
) -> None:
    wait_s = claim_deadline_s * 2 ** min(dispatches - 1, MAX_BACKOFF)
    values = {"dispatched_at": now, "dispatches": dispatches, "redispatch_at": now + timedelta(seconds=wait_s)}
    for batch in batches(step_ids):
        session.execute(update(StepRun).where(StepRun.id.in_(batch), StepRun.status == StepStatus.READY).values(values))
