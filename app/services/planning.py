"""Plans builds: the steps that wait for nothing become ready."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Build
from app.models.clock import database_now
from app.services import builds, progress
from app.services.trail import Trail

SWEPT_AFTER_S = 2.0
"""The hint of a new build gets this long before the sweep plans it: time enough where the broker works."""
SWEEP_LIMIT = 100


def plan(session: Session, build_id: str) -> Build:
    """Release the build's first steps. Repeating it does nothing; NotFound where there is no such build."""
    build = builds.lock(session, build_id)
    with Trail(session, actor="orchestrator") as trail:
        progress.begin(trail, build)
    return build


def unplanned(session: Session) -> Sequence[str]:
    """Builds whose hint must have been lost, oldest first; those of a time to come are from before the clock was put
    back."""
    now = database_now(session)
    is_new = Build.created_at.between(now - timedelta(seconds=SWEPT_AFTER_S), now)
    query = select(Build.id).where(Build.planned_at.is_(None), ~is_new)
    return session.scalars(query.order_by(Build.id).limit(SWEEP_LIMIT)).all()
