"""The database's clock: the only one leases, deadlines and times of rows are measured by."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_SQLITE_NOW = text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")
_POSTGRESQL_NOW = text("SELECT clock_timestamp()")


def database_now(session: Session) -> datetime:
    """The current instant in UTC, as the database sees it: one small statement, no table."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.fromisoformat(session.scalar(_SQLITE_NOW) or "").replace(tzinfo=UTC)
    now: datetime = session.scalars(_POSTGRESQL_NOW).one()
    return now.astimezone(UTC)
