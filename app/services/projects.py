"""Projects."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.errors import NotFound
from app.models import Project
from app.services.trail import Trail


def create(session: Session, account_id: str, name: str) -> Project:
    """A new project; names need not be unique within an account."""
    with Trail(session, actor="api") as trail:
        project = Project(account_id=account_id, name=name, created_at=trail.now, updated_at=trail.now)
        session.add(project)
        session.flush()
        trail.record(AuditAction.PROJECT_CREATED, project.id, name=name, accountId=account_id)
    return project


def list_for_account(session: Session, account_id: str) -> Sequence[Project]:
    """An account's projects, oldest first; an account nobody used has none."""
    return session.scalars(select(Project).where(Project.account_id == account_id).order_by(Project.id)).all()


def get(session: Session, project_id: str) -> Project:
    """The project, or NotFound."""
    project = session.get(Project, project_id)
    if project is None:
        raise NotFound("Project")
    return project
