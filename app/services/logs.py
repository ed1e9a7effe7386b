"""What attempts printed: bytes, appended by offset, kept in a table of their own."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.errors import Conflict, NotFound
from app.models import Attempt, LogChunk
from app.services import steps


@dataclass(frozen=True)
class Extent:
    """A log as long as it was when somebody asked; it may grow, and never changes below that."""

    step_id: str
    attempt: int
    size_bytes: int


def append(
    session: Session, step_id: str, number: int, offset: int, content: bytes, limit_bytes: int | None = None
) -> int:
    """Add bytes that begin at `offset`, and say where the next ones belong.

    What the server has already is passed over, so a chunk may be sent twice. Bytes past the end are not taken; the
    answer says where to go on. A log that has been cut off at its limit takes nothing more and says that it does, so
    that whoever sends goes on to the end. Conflict where the attempt is not running.
    """
    steps.get(session, step_id)
    query = select(Attempt).where(Attempt.step_run_id == step_id, Attempt.number == number).with_for_update()
    attempt = session.scalars(query).one_or_none()
    if attempt is None or attempt.finished_at is not None:
        raise Conflict(f"attempt {number} is not running", "not_running")
    end = _end(session, attempt)
    fresh = content[end - offset :] if offset <= end else b""
    if _is_cut_off(end, limit_bytes) or _add(session, attempt, end, fresh, limit_bytes) < len(fresh):
        return offset + len(content)
    return end + len(fresh)


def append_at_end(session: Session, attempt: Attempt, content: bytes, limit_bytes: int | None = None) -> None:
    """Add bytes after whatever was sent before, up to the same limit; the attempt's build is locked."""
    end = _end(session, attempt)
    if not _is_cut_off(end, limit_bytes):
        _add(session, attempt, end, content, limit_bytes)


def extent(session: Session, step_id: str, number: int | None = None) -> Extent:
    """How much an attempt has printed so far, by default the newest; one that nobody claimed has printed nothing."""
    newest = steps.get(session, step_id).attempt
    known = {attempt.number: attempt for attempt in steps.attempts(session, step_id)}
    if number is None:
        number = max(known, default=newest)
    elif number not in known:
        raise NotFound("Attempt")
    return Extent(step_id, number, _end(session, known[number]) if known else 0)


def chunk(session: Session, log: Extent, start: int) -> bytes:
    """The chunk that begins at `start`, which is 0 or where another one ended: a log is never in memory whole."""
    query = select(LogChunk.content).where(
        LogChunk.step_run_id == log.step_id, LogChunk.attempt == log.attempt, LogChunk.start == start
    )
    return session.scalars(query).one()


def _end(session: Session, attempt: Attempt) -> int:
    query = select(LogChunk.start + func.length(LogChunk.content)).where(
        LogChunk.step_run_id == attempt.step_run_id, LogChunk.attempt == attempt.number
    )
    return session.scalars(query.order_by(LogChunk.start.desc()).limit(1)).one_or_none() or 0


def _is_cut_off(end: int, limit_bytes: int | None) -> bool:
    """Only the marker reaches past the limit, so it is there once and nothing follows it."""
    return limit_bytes is not None and end > limit_bytes


def _add(session: Session, attempt: Attempt, end: int, content: bytes, limit_bytes: int | None) -> int:
    """Add what fits, and the marker where that is not all; how much of it fitted."""
    kept = content if limit_bytes is None else content[: max(limit_bytes - end, 0)]
    stored = kept if len(kept) == len(content) else kept + _marker(limit_bytes)
    if stored:
        session.add(LogChunk(step_run_id=attempt.step_run_id, attempt=attempt.number, start=end, content=stored))
    return len(kept)


def _marker(limit_bytes: int | None) -> bytes:
    return f"\n» the server cuts the log off here: its limit is {limit_bytes} bytes\n".encode()
