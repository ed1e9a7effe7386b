"""An API that has been there all the time, for what sweeps beside no real one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.api.presence import Presence
from app.models import ApiPresence
from app.models.database import Database
from app.services import presence

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def attend(session: Session, lease_s: float) -> None:
    """The API is there now, and has been for longer than any lease."""
    presence.note(session, lease_s)
    session.execute(update(ApiPresence).values(since=LONG_AGO))


@contextmanager
def attended(database: Database, lease_s: float) -> Iterator[Presence]:
    """While inside the API stays there, as its process notes it."""
    database.transact(attend, lease_s)
    noting = Presence(database, lease_s)
    noting.start()
    try:
        yield noting
    finally:
        noting.stop()
