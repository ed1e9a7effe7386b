"""The audit log, read."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.models import AuditCount, AuditEntry
from app.services.pages import Page, page_of


def list_entries(
    session: Session, project_id: str | None, action: str | None, limit: int, offset: int
) -> Page[AuditEntry]:
    """Entries newest first, of a project and of an action where these are given; an action nobody knows has none."""
    known = _known(action)
    if action is not None and known is None:
        return Page([], 0, limit, offset)
    which = []
    if project_id is not None:
        which.append(AuditEntry.project_id == project_id)
    if known is not None:
        which.append(AuditEntry.action == known)
    return page_of(session, AuditEntry, which, count(session, project_id, known), limit, offset)


def count(session: Session, project_id: str | None = None, action: AuditAction | None = None) -> int:
    """How many entries match, from the counts: the cost does not grow with the log."""
    query = select(func.coalesce(func.sum(AuditCount.entries), 0))
    if project_id is not None:
        query = query.where(AuditCount.project_id == project_id)
    if action is not None:
        query = query.where(AuditCount.action == action)
    return int(session.scalars(query).one())


def _known(action: str | None) -> AuditAction | None:
    return next((known for known in AuditAction if known == action), None)
