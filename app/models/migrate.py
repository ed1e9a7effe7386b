"""Brings a database to the schema this version needs: `python -m app.models.migrate`.

Exit status 0 when the schema is current, 1 with one line on standard error when it cannot be made so.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DatabaseError

from app.models.engines import make_engine

UPGRADE_LOCK = 0x6275696C64  # "build": any number that no other program locks in this database
MIGRATIONS = Path(__file__).with_name("migrations")


class NewerSchema(Exception):
    """The database was written by a newer version; going on could destroy what that version knows."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is of a newer version of Build Server (schema {revision}, unknown here); "
            "upgrade Build Server, or use another data directory"
        )


class WrongEncoding(Exception):
    """The database keeps text in another form than UTF-8: names could not be stored, or not be read back."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"the database's encoding is {encoding}, and must be UTF8; make one with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def upgrade(database_url: str) -> None:
    """Apply every migration that is missing, all in one transaction. Nothing to do is fine.

    NewerSchema or WrongEncoding is raised where it cannot be done, and nothing is changed then.
    Of two at once the second waits, and finds nothing to do.
    """
    engine = make_engine(database_url, pool_size=1, patient=True)
    if engine.url.database and engine.dialect.name == "sqlite":
        _make_private(Path(engine.url.database))
    try:
        with engine.begin() as connection:
            _take_turns(connection)
            _refuse_other_encodings(connection)
            refuse_newer(connection)
            command.upgrade(_config(connection), "head")
    finally:
        engine.dispose()


def _make_private(file: Path) -> None:
    """A new file is its owner's alone, wherever it is: builds carry what nobody else should read. SQLite gives the
    files that it puts beside it the same mode. One that cannot be made is SQLite's to complain about."""
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))


def _take_turns(connection: Connection) -> None:
    """Wait until no other upgrade runs; on SQLite the transaction, a writing one from its start, has waited for it."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))


def _refuse_other_encodings(connection: Connection) -> None:
    """SQLite knows Unicode only."""
    if connection.dialect.name == "postgresql":
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise WrongEncoding(encoding)


def refuse_newer(connection: Connection) -> None:
    """Raise NewerSchema where the database has a revision that this version has no migration for."""
    current = schema_revision(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise NewerSchema(current)


def schema_revision(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision this version needs."""
    head = _scripts().get_current_head()
    assert head is not None, "there is always a first migration"
    return head


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def main() -> int:
    url = os.environ.get("DATABASE_URL")
    if not url:
        print("buildserver: DATABASE_URL is not set; it names the database to migrate", file=sys.stderr)
        return 1
    try:
        upgrade(url)
    except (NewerSchema, WrongEncoding) as error:
        print(f"buildserver: {error}", file=sys.stderr)
        return 1
    except DatabaseError as error:
        print(f"buildserver: the database cannot be used: {error.orig}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
