"""What an error of the database means for whoever asked: to try again, to come back later, or that it is a defect."""

from sqlalchemy.exc import DBAPIError, OperationalError

TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL: serialization failure, deadlock detected, lock not available."""
UNAVAILABLE_SQLSTATES = ("08", "53", "57P", "58")
"""PostgreSQL: no connection, no room for one more, shutting down or starting up, a disk that does not work."""
UNAVAILABLE_SQLITE = tuple(
    f"SQLITE_{trouble}" for trouble in ("BUSY", "LOCKED", "CANTOPEN", "FULL", "IOERR", "READONLY")
)
"""SQLite: held by another process, or its file cannot be opened, read or written."""


def is_transient(error: DBAPIError) -> bool:
    """Whether the same unit of work may succeed when it is run again at once."""
    if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in TRANSIENT_SQLSTATES:
        return True
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)


def is_unavailable(error: DBAPIError) -> bool:
    """Whether the database is to blame and not the statement, which may succeed later. A connection that was never made
    has no code."""
    if error.connection_invalidated or is_transient(error):
        return True
    if code := error_code(error):
        return code.startswith((*UNAVAILABLE_SQLITE, *UNAVAILABLE_SQLSTATES))
    return isinstance(error, OperationalError)


def error_code(error: Exception) -> str:
    """SQLite's name for the error, or PostgreSQL's SQLSTATE; empty where the database did not speak."""
    cause = getattr(error, "orig", None)
    return str(getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or "")
