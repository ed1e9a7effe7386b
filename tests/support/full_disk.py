"""A database whose disk is full, and which says so itself: no row can be added to any table.

Each table gets a trigger that needs room besides, and there is none. Of SQLite's file no page can be had any more; of
PostgreSQL's files the one that must grow is the kernel's own full device. So a transaction has written something when
it fails. What changes a row goes on as long as there is room in its page, so a test says whether it does. Nobody needs
rights for all this.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, ExceptionContext, event, text

from app.models import Base
from app.models.database import Database

FULL_DEVICE = Path("/dev/full")
TABLES = [table.name for table in Base.metadata.sorted_tables]
ADDING, WRITING = ("INSERT",), ("INSERT", "UPDATE")
LARGE_BYTES = 100_000
"""More than is free in pages that SQLite has already."""


@contextmanager
def full_disk(database: Database, needing_room: Sequence[str] = ADDING) -> Iterator[list[str]]:
    """Within the block there is no room; after it there is again, and nothing is left of all this.

    What is yielded grows by each error that the database has for a question of this process. SQLite has no room for
    this process alone, PostgreSQL for nobody.
    """
    errors: list[str] = []

    def note(context: ExceptionContext) -> None:
        errors.append(str(context.original_exception))

    fill = _full_sqlite if database.engine.dialect.name == "sqlite" else _full_postgresql
    with fill(database.engine, [(table, what) for table in TABLES for what in needing_room]):
        event.listen(database.engine, "handle_error", note)
        try:
            yield errors
        finally:
            event.remove(database.engine, "handle_error", note)


@contextmanager
def _full_sqlite(engine: Engine, weighed: Sequence[tuple[str, str]]) -> Iterator[None]:
    action = f"INSERT INTO ballast VALUES (zeroblob({LARGE_BYTES}))"
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE ballast (weight BLOB)"))
        for table, what in weighed:
            trigger = f"weigh_{what}_{table} AFTER {what} ON {table}"
            connection.execute(text(f"CREATE TRIGGER {trigger} BEGIN {action}; END"))
    event.listen(engine, "checkout", _take_no_page)
    try:
        yield
    finally:
        event.remove(engine, "checkout", _take_no_page)
        engine.dispose()  # with the connections that take none
        with engine.begin() as connection:
            for table, what in weighed:
                connection.execute(text(f"DROP TRIGGER weigh_{what}_{table}"))
            connection.execute(text("DROP TABLE ballast"))


def _take_no_page(connection: object, *_: object) -> None:
    """SQLite raises the limit to what the file has."""
    connection.execute("PRAGMA max_page_count=1")  # type: ignore[attr-defined]


@contextmanager
def _full_postgresql(engine: Engine, weighed: Sequence[tuple[str, str]]) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE ballast (weight int)"))
        file = _file_of(connection, "ballast")
    spared = file.with_name(f"{file.name}.spared")
    file.rename(spared)
    file.symlink_to(FULL_DEVICE)
    engine.dispose()  # with the connection that has made the file and has it still
    try:
        with engine.begin() as connection:
            _weigh(connection, weighed)
        yield
    finally:
        spared.replace(file)
        with engine.begin() as connection:
            connection.execute(text("DROP FUNCTION weigh CASCADE"))
            connection.execute(text("DROP TABLE ballast"))


def _weigh(connection: Connection, weighed: Sequence[tuple[str, str]]) -> None:
    body = "BEGIN INSERT INTO ballast VALUES (1); RETURN NULL; END"
    connection.execute(text(f"CREATE FUNCTION weigh() RETURNS trigger LANGUAGE plpgsql AS '{body}'"))
    for table, what in weighed:
        trigger = f"weigh_{what} AFTER {what} ON {table}"
        connection.execute(text(f"CREATE TRIGGER {trigger} EXECUTE FUNCTION weigh()"))


def _file_of(connection: Connection, table: str) -> Path:
    question = "SELECT current_setting('data_directory'), pg_relation_filepath(:table)"
    return Path(*connection.execute(text(question), {"table": table}).one())
