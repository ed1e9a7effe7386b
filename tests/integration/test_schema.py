"""The migrations make the schema that the models describe, on both databases, from whatever state they find."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from app.models import Base, migrate
from tests.support.postgres import PostgresServer

MakeUrl = Callable[[], str]
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
"""
INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"
SQLITE_OBJECTS = "SELECT tbl_name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeUrl]:
    """Makes URLs of databases without a schema, all of one kind."""
    if request.param == "sqlite":
        numbers = count()
        yield lambda: f"sqlite:///{tmp_path / f'empty{next(numbers)}.db'}"
        return
    postgres = request.getfixturevalue("postgres")
    with ExitStack() as databases:
        yield lambda: databases.enter_context(postgres.empty_database())


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def described(connection: Connection) -> set[tuple[str, str]]:
    """Every constraint and index, and on SQLite every column, as the database itself writes them down."""
    if connection.dialect.name == "postgresql":
        told = [tuple(row) for query in (CONSTRAINTS, INDEXES) for row in connection.execute(text(query))]
    else:
        objects = connection.execute(text(SQLITE_OBJECTS)).all()
        told = [(table, part) for table, sql in objects for part in re.split(r"\s*,?\s*\n\s*", sql)]
    return {(table, part) for table, part in told if table != "alembic_version"}


def revision(url: str) -> str | None:
    with connected(url) as connection:
        return migrate.schema_revision(connection)


def test_the_migrations_make_every_constraint_and_index_of_the_models(empty_url: MakeUrl) -> None:
    migrated, made = empty_url(), empty_url()
    migrate.upgrade(migrated)
    with connected(made) as connection:
        Base.metadata.create_all(connection)
        expected = described(connection)
    with connected(migrated) as connection:
        assert described(connection) == expected
    assert len(expected) > 50


def test_the_migrations_make_every_column_of_the_models(database_url: str) -> None:
    with connected(database_url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_new_file_is_its_owners_alone_wherever_it_is(tmp_path: Path) -> None:
    """Builds carry URLs and variables that other users of the machine must not read."""
    migrate.upgrade(f"sqlite:///{tmp_path}/new.db")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_an_upgrade_of_a_current_database_changes_nothing(empty_url: MakeUrl) -> None:
    url = empty_url()
    migrate.upgrade(url)
    with connected(url) as connection:
        before = described(connection)
        connection.execute(text("INSERT INTO projects VALUES ('p', 'acme', 'x', '2026-01-01', '2026-01-01')"))
    migrate.upgrade(url)
    with connected(url) as connection:
        assert described(connection) == before
        assert connection.execute(text("SELECT id FROM projects")).scalars().all() == ["p"]
    assert revision(url) == migrate.newest_revision()


def test_upgrades_at_once_all_end_well(empty_url: MakeUrl) -> None:
    url, width = empty_url(), 4
    barrier = threading.Barrier(width)

    def upgrade() -> None:
        barrier.wait()
        migrate.upgrade(url)

    with ThreadPoolExecutor(width) as pool:
        for done in [pool.submit(upgrade) for _ in range(width)]:
            done.result()
    assert revision(url) == migrate.newest_revision()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty_url: MakeUrl) -> None:
    url = empty_url()
    migrate.upgrade(url)
    with connected(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(migrate.NewerSchema):
        migrate.upgrade(url)
    assert revision(url) == "9999"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_keep_all_text_is_refused_in_one_line(postgres: PostgresServer, encoding: str) -> None:
    with postgres.empty_database(encoding) as url:
        words = [sys.executable, "-m", "app.models.migrate"]
        done = subprocess.run(
            words, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith(f"buildserver: the database's encoding is {encoding}, and must be UTF8; ")
        assert revision(f"{url}&client_encoding=utf8") is None


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_url: MakeUrl) -> None:
    url = empty_url()
    with connected(url) as connection:
        connection.execute(text("CREATE TABLE audit_counts (mine INTEGER)"))  # the last table the first schema makes
        before = described(connection)
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(url)
    with connected(url) as connection:
        assert described(connection) == before
    assert revision(url) is None
