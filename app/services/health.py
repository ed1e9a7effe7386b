"""Whether the database is one this version can work with."""

from sqlalchemy.orm import Session

from app.models.migrate import newest_revision, schema_revision


def schema_problem(session: Session) -> str | None:
    """What is wrong with the database's schema, and what to do about it; None where nothing is."""
    current, wanted = schema_revision(session.connection()), newest_revision()
    if current == wanted:
        return None
    return f"the database has schema {current or 'none'}, this version needs {wanted}; run python -m app.models.migrate"
