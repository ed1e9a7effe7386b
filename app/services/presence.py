"""A lease runs out only while there is somebody to renew it at.

Every API process notes each second or two that it is there and reaches the database. While nobody has, and for one
lease after somebody has again, no attempt counts as lost: its runner may be alive and in vain have tried to say so. The
same holds where the database's clock has jumped, which looks no different; and where it was put back, no lease lasts
and no step waits longer for that.
"""

from datetime import datetime, timedelta

from sqlalchemy import case, literal, select, update
from sqlalchemy.orm import Session

from app.domain.retry import LOST_PAUSE_S
from app.domain.vocabulary import StepStatus
from app.models import ApiPresence, Attempt, StepRun
from app.models.base import UtcDateTime
from app.models.clock import database_now

GAP_SHARE = 1 / 3
"""Of a lease: an API that was not heard of for longer was away. A shorter gap ends no lease, as runners renew theirs
four times as often as they must, and try again every second."""


def note(session: Session, lease_s: float) -> bool:
    """Note that the API is there; whether it had been away. One small update, and then two others."""
    now, gap = database_now(session), timedelta(seconds=lease_s * GAP_SHARE)
    unbroken = ApiPresence.seen_at.between(now - gap, now + gap)
    noted = update(ApiPresence).values(
        seen_at=now, since=case((unbroken, ApiPresence.since), else_=literal(now, UtcDateTime))
    )
    was_away = session.scalars(noted.returning(ApiPresence.since)).one() == now
    if was_away:
        _limit_leases(session, now + timedelta(seconds=lease_s))
        _limit_waits(session, now, now + timedelta(seconds=max(lease_s, LOST_PAUSE_S)))
    return was_away


def allows_verdicts(session: Session, lease_s: float) -> bool:
    """Whether every runner that is alive has had a whole lease's time to be heard until now."""
    now, gap, lease = database_now(session), timedelta(seconds=lease_s * GAP_SHARE), timedelta(seconds=lease_s)
    heard = (ApiPresence.seen_at.between(now - gap, now + gap), ApiPresence.since <= now - lease)
    return session.scalar(select(ApiPresence.id).where(*heard)) is not None


def _limit_leases(session: Session, until: datetime) -> None:
    """Of attempts whose runners send heartbeats: none of those could have asked for more."""
    too_long = (Attempt.finished_at.is_(None), Attempt.heartbeats, Attempt.lease_expires_at > until)
    session.execute(update(Attempt).where(*too_long).values(lease_expires_at=until))


def _limit_waits(session: Session, now: datetime, until: datetime) -> None:
    """Of steps whose messages may be lost: they would be missed only when the clock is where it was. A pause that is no
    longer than a pause may be lasts on."""
    too_long = (StepRun.status == StepStatus.READY, StepRun.redispatch_at > until)
    session.execute(update(StepRun).where(*too_long).values(redispatch_at=now))
