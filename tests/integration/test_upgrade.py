"""An upgrade in the middle of builds: every row stays as it was, and what is open goes on to its end.

`rows_at_0001.json` is what the services of that time wrote: a build that succeeded, one that failed at its second
attempt, after a lost one, one in the middle, and one that nobody has planned.
"""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, DateTime, LargeBinary, MetaData, Table, create_engine, select

from app.domain.vocabulary import BuildStatus
from app.models import migrate
from app.models.database import Database
from app.services import builds, completion, leases, logs, planning, steps
from app.services.completion import Report
from app.services.leases import Claimant
from tests.integration.plant import SUCCESS, TIMES

OLD = json.loads(Path(__file__).with_name("rows_at_0001.json").read_text())
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database at the first schema, with rows."""
    if request.param == "sqlite":
        yield filled(f"sqlite:///{tmp_path / 'old.db'}")
        return
    with request.getfixturevalue("postgres").empty_database() as url:
        yield filled(url)


def filled(url: str) -> str:
    engine = create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table in tables(connection):
            for row in OLD.get(table.name, ()):
                values = {name: value_of(table.c[name], value, url) for name, value in row.items()}
                connection.execute(table.insert().values(values))
    engine.dispose()
    return url


def tables(connection: Connection) -> list[Table]:
    """Those with rows in them, as the database has them now."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name in OLD)
    return found.sorted_tables


def value_of(column: Column[Any], written: Any, url: str) -> Any:
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(written)
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(written if url.startswith("sqlite") else f"{written}+00:00")
    return written


def all_rows(url: str) -> Rows:
    """In the columns that there were at the first."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found: Rows = {}
        for table in tables(connection):
            columns = [table.c[name] for name in sorted({name for row in OLD[table.name] for name in row})]
            found[table.name] = sorted((dict(row._mapping) for row in connection.execute(select(*columns))), key=str)
    engine.dispose()
    return found


def test_an_upgrade_leaves_every_row_as_it_was(old_url: str) -> None:
    before = all_rows(old_url)
    assert {name: len(rows) for name, rows in before.items()} == {name: len(rows) for name, rows in OLD.items()}
    migrate.upgrade(old_url)
    assert all_rows(old_url) == before


def test_what_was_open_before_an_upgrade_ends_after_it(old_url: str) -> None:
    migrate.upgrade(old_url)
    database = Database(old_url)
    project = OLD["projects"][0]["id"]
    page = database.read(builds.list_for_project, project, 10, 0)
    statuses = [build.status for build in page.rows]
    assert (page.total, statuses) == (4, ["PENDING", "RUNNING", "FAILED", "SUCCESS"])
    new, opened, _failed, over = (build.id for build in page.rows)
    database.transact(planning.plan, new)
    for build in (new, opened):
        run_to_the_end(database, build)
        assert database.read(builds.get, build).status is BuildStatus.SUCCESS
    last = database.read(steps.of_build, over).steps[-1].id
    log = database.read(logs.extent, last)
    assert database.read(logs.chunk, log, 0) == b"done \xff\x00\n"
    database.dispose()


def run_to_the_end(database: Database, build: str) -> None:
    """Whatever runs is reported, whatever is ready is claimed."""
    for number in range(10):
        found = database.read(steps.of_build, build)
        for run in found.steps:
            if run.status == "READY":
                claimant = Claimant("runner-2", f"key-{number}", heartbeats=True)
                database.transact(leases.claim, run.id, claimant, run.attempt, TIMES)
            if run.status == "RUNNING":
                database.transact(completion.complete, run.id, Report(SUCCESS, run.attempt), TIMES)
