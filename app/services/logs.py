"""What attempts printed: bytes, appended by offset, kept in a table of their own."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.errors import Conflict, NotFound
from app.models import Attempt, LogChunk
from app.services import steps


def append(session: Session, step_id: str, number: int, offset: int, content: bytes) -> int:
    """Add bytes that begin at `offset`, and say where the log ends now.

    What the server has already is passed over, so a chunk may be sent twice. Bytes past the end are not taken; the
    answer says where to go on. Conflict where the attempt is not running.
    """
    steps.get(session, step_id)
    query = select(Attempt).where(Attempt.step_run_id == step_id, Attempt.number == number).with_for_update()
    attempt = session.scalars(query).one_or_none()
    if attempt is None or attempt.finished_at is not None:
        raise Conflict(f"attempt {number} is not running", "not_running")
    end = _end(session, attempt)
    fresh = content[end - offset :] if offset <= end else b""
    return _add(session, attempt, end, fresh)


def append_at_end(session: Session, attempt: Attempt, content: bytes) -> int:
    """Add bytes after whatever was sent before; the attempt's build is locked."""
    return _add(session, attempt, _end(session, attempt), content)


def read(session: Session, step_id: str, number: int | None = None) -> bytes:
    """The whole log of an attempt, by default of the newest; an attempt that printed nothing has an empty one."""
    newest = steps.get(session, step_id).attempt
    known = [attempt.number for attempt in steps.attempts(session, step_id)]
    if number is None:
        number = known[-1] if known else newest
    elif number not in known:
        raise NotFound("Attempt")
    query = select(LogChunk.content).where(LogChunk.step_run_id == step_id, LogChunk.attempt == number)
    return b"".join(session.scalars(query.order_by(LogChunk.start)))


def _end(session: Session, attempt: Attempt) -> int:
    query = select(LogChunk.start + func.length(LogChunk.content)).where(
        LogChunk.step_run_id == attempt.step_run_id, LogChunk.attempt == attempt.number
    )
    return session.scalars(query.order_by(LogChunk.start.desc()).limit(1)).one_or_none() or 0


def _add(session: Session, attempt: Attempt, end: int, content: bytes) -> int:
    if content:
        session.add(LogChunk(step_run_id=attempt.step_run_id, attempt=attempt.number, start=end, content=content))
    return end + len(content)
