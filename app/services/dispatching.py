"""Hands ready step runs to the pools: READY rows are the outbox, and stamping one says that its message was sent.

A message may be lost after the stamp. Nobody claims the step then, `redispatch_at` passes, and the sweep looks whether
the pool's queue still holds as many messages as steps of the pool wait for a runner. If it does, none was lost; if not,
as many as are missing are stamped and sent again. The claim decides, so that a second message starts nothing twice.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from app.domain.vocabulary import StepStatus
from app.models import StepRun
from app.models.batches import batches
from app.models.clock import database_now

MAX_BACKOFF = 2
"""Doublings of the claim deadline: a step whose message is lost is offered again after 8 s, 16 s, and then every 32 s.
The longer waits are for messages that runners take and cannot use; steps that only wait for a runner are not sent again
at all."""
SWEEP_LIMIT = 500
"""Messages for one pool: a sweep of every five seconds sends 100 a second, and takes well under a second for it."""
BUILD_LIMIT = 500
"""Messages of one build for one task: others wait no longer than for that, however many steps are ready at once."""
LATE_S = 1
"""The hint of a step that was just released, or the claim of one just offered, may be on its way."""
_READY = StepRun.status == StepStatus.READY


@dataclass(frozen=True)
class Dispatch:
    """A message to send: which attempt of which step run, to which pool, and whose it is."""

    step_id: str
    attempt: int
    pool: str
    build_id: str
    project_id: str


def dispatch_build(session: Session, build_id: str, claim_deadline_s: float) -> list[Dispatch]:
    """Stamp up to BUILD_LIMIT ready steps of the build that were never sent, those in a pause apart; the caller sends
    after the commit."""
    due = StepRun.redispatch_at <= database_now(session)
    fresh = (StepRun.build_id == build_id, StepRun.dispatched_at.is_(None), due)
    return _stamp(session, fresh, claim_deadline_s, BUILD_LIMIT)


def dispatch_unsent(session: Session, claim_deadline_s: float) -> list[Dispatch]:
    """Stamp ready steps of any build whose hint must have been lost, the longest waiting first."""
    unsent = (_overdue(session), StepRun.dispatched_at.is_(None))
    return _stamp(session, unsent, claim_deadline_s, SWEEP_LIMIT)


def unclaimed(session: Session) -> dict[str, int]:
    """How many steps of a pool were sent and are not claimed, for the pools where some should have been by now."""
    sent = select(StepRun.pool, func.count()).where(_READY, StepRun.dispatched_at.is_not(None))
    query = sent.group_by(StepRun.pool).having(func.min(StepRun.redispatch_at) < _late(session))
    return dict(session.execute(query).all())


def dispatch_again(session: Session, pool: str, lost: int, claim_deadline_s: float) -> list[Dispatch]:
    """Stamp steps of the pool that should have been claimed by now, as many as messages were lost, the longest waiting
    first. Which messages these were nobody knows; the next sweeps come to the other steps."""
    due = (_overdue(session), StepRun.pool == pool, StepRun.dispatched_at.is_not(None))
    return _stamp(session, due, claim_deadline_s, min(lost, SWEEP_LIMIT))


def take_back(session: Session, dispatches: Sequence[Dispatch]) -> None:
    """Undo the stamps of messages that could not be sent: the next sweep finds their steps as if never offered."""
    first = StepRun.dispatches == 1
    values = {
        "dispatches": StepRun.dispatches - 1,
        "dispatched_at": case((first, None), else_=StepRun.dispatched_at),
        "redispatch_at": database_now(session),
    }
    for batch in batches([each.step_id for each in dispatches]):
        stamped = (StepRun.id.in_(batch), _READY, StepRun.dispatches > 0)
        session.execute(update(StepRun).where(*stamped).values(values).execution_options(synchronize_session=False))


def _overdue(session: Session) -> ColumnElement[bool]:
    return StepRun.redispatch_at < _late(session)


def _late(session: Session) -> datetime:
    return database_now(session) - timedelta(seconds=LATE_S)


def _stamp(
    session: Session, which: Sequence[ColumnElement[bool]], claim_deadline_s: float, limit: int
) -> list[Dispatch]:
    wanted = (StepRun.id, StepRun.attempt, StepRun.pool, StepRun.build_id, StepRun.project_id, StepRun.dispatches)
    query = select(*wanted).where(_READY, *which)
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
        session.execute(update(StepRun).where(StepRun.id.in_(batch), _READY).values(values))
