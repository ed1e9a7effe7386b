"""Units of work: run again where the database asks for that, and only then."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from app.models import engines
from app.models.database import Database
from app.models.hints import Hint, hint
from app.services import builds, projects
from tests.integration.plant import Ids, Plant
from tests.integration.racing import at_once
from tests.support import postgres as postgres_server
from tests.support.postgres import PostgresServer

WRITERS = 16
ROUNDS = 5
OWN_BACKEND = "SELECT pg_terminate_backend(pg_backend_pid())"


def rename(session: Session, ids: Ids) -> None:
    build = builds.lock(session, ids.build)
    build.branch = str(int(build.branch or 0) + 1)


def test_no_update_of_a_hot_build_is_lost(plant: Plant) -> None:
    ids = plant.build({"a": []})

    def write() -> None:
        for _ in range(ROUNDS):
            plant.database.transact(rename, ids)

    at_once([write] * WRITERS)
    assert plant.row(ids).branch == str(WRITERS * ROUNDS)


@pytest.fixture
def postgresql(postgres: PostgresServer) -> object:
    with postgres.database() as url:
        database = Database(url)
        yield database
        database.dispose()


def names(database: Database) -> list[str]:
    return [row.name for row in database.read(projects.list_for_account, "acme")]


def test_a_backend_that_dies_in_the_middle_costs_a_try_and_no_more(postgresql: Database) -> None:
    tries: list[int] = []

    def work(session: Session) -> None:
        projects.create(session, "acme", f"try {len(tries)}")
        tries.append(len(tries))
        if len(tries) == 1:
            session.execute(text(OWN_BACKEND))

    postgresql.transact(work)
    assert (len(tries), names(postgresql)) == (2, ["try 1"])


def test_a_restart_between_two_questions_is_an_error_to_neither() -> None:
    """A question has one try, so its connection is looked at before."""
    with postgres_server.running() as server, server.database() as url:
        database = Database(url)
        database.transact(projects.create, "acme", "a")
        server.halt()
        server.resume()
        assert names(database) == ["a"]
        database.dispose()


def test_a_statement_that_is_never_answered_ends_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ANSWER_S", 0.5)
    with postgres_server.running() as server, server.database() as url:
        database = Database(url)

        def work(session: Session) -> None:
            projects.create(session, "acme", "a")
            session.flush()
            server.freeze()
            projects.create(session, "acme", "b")
            session.flush()

        try:
            with pytest.raises(OperationalError):
                database.transact(work)
        finally:
            server.thaw()
        assert names(database) == []
        database.dispose()


@pytest.mark.usefixtures("collector_at_rest")
def test_a_connection_that_does_not_come_about_is_let_go_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes on would find them all waiting for it, and have no room for others."""
    monkeypatch.setitem(engines.LIVENESS, "connect_timeout", 2)
    with postgres_server.running() as server, server.database() as url:
        database = Database(url)
        before = sockets()
        with server.away("frozen"):
            for _ in range(2):
                with pytest.raises(OperationalError):
                    names(database)
        assert sockets() == before
        database.dispose()


def sockets() -> int:
    """How many this process has open."""
    return sum(path.resolve().name.startswith("socket:") for path in Path("/proc/self/fd").iterdir())


def test_a_deadlock_is_resolved_by_running_the_loser_again(postgresql: Database) -> None:
    ids = [postgresql.transact(projects.create, "acme", name).id for name in ("a", "b")]

    def swap(first: str, second: str) -> None:
        def work(session: Session) -> None:
            for project_id in (first, second):
                session.execute(text("UPDATE projects SET name = name || '+' WHERE id = :id"), {"id": project_id})
                session.execute(text("SELECT pg_sleep(0.1)"))

        postgresql.transact(work)

    at_once([partial(swap, *ids), partial(swap, *reversed(ids))])
    assert names(postgresql) == ["a++", "b++"]


def test_a_row_that_stays_locked_is_waited_for_two_seconds_and_tried_again(postgresql: Database) -> None:
    project_id = postgresql.transact(projects.create, "acme", "a").id
    tries: list[int] = []
    with postgresql.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM projects WHERE id = :id FOR UPDATE"), {"id": project_id})

        def work(session: Session) -> None:
            tries.append(1)
            if len(tries) == 2:
                holder.rollback()
            session.execute(text("UPDATE projects SET name = 'b' WHERE id = :id"), {"id": project_id})

        postgresql.transact(work)
    assert (len(tries), names(postgresql)) == (2, ["b"])


def test_a_connection_that_dies_during_the_commit_is_an_error_and_no_second_try(postgresql: Database) -> None:
    tries: list[int] = []

    def kill(session: Session) -> None:
        session.connection().exec_driver_sql(OWN_BACKEND)

    def work(session: Session) -> None:
        tries.append(1)
        projects.create(session, "acme", "a")
        event.listen(session, "before_commit", kill, once=True)

    with pytest.raises(DBAPIError):
        postgresql.transact(work)
    assert len(tries) == 1


def test_what_the_database_refuses_for_good_is_not_tried_again(database: Database) -> None:
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        session.execute(text("SELECT nonsense FROM nowhere"))

    with pytest.raises(DBAPIError):
        database.transact(work)
    assert len(tries) == 1


def test_hints_are_handed_on_once_after_the_commit_and_never_without_one(database_url: str) -> None:
    handed: list[Hint] = []
    seen: list[list[str]] = []

    def take(hints: Sequence[Hint]) -> None:
        handed.extend(hints)
        seen.append(names(database))

    database = Database(database_url, on_hints=take)

    def work(session: Session, fails: bool) -> None:
        projects.create(session, "acme", "a")
        hint(session, "builds.plan", "x")
        hint(session, "builds.plan", "x")
        if fails:
            raise ValueError("changed its mind")

    with pytest.raises(ValueError, match="changed its mind"):
        database.transact(work, fails=True)
    assert (handed, names(database)) == ([], [])
    database.transact(work, fails=False)
    assert (handed, seen) == ([Hint("builds.plan", "x")], [["a"]])
    database.dispose()


def test_sessions_have_the_settings_that_keep_a_stuck_one_from_holding_rows(database: Database) -> None:
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            wanted = {"journal_mode": "wal", "busy_timeout": 10_000, "synchronous": 2, "foreign_keys": 1}
            query = "PRAGMA {}"
        else:
            wanted = {
                "lock_timeout": "2s",
                "statement_timeout": "10s",
                "idle_in_transaction_session_timeout": "15s",
            }
            query = "SHOW {}"
        assert {name: connection.scalar(text(query.format(name))) for name in wanted} == wanted


def test_a_unit_of_work_that_took_long_in_vain_is_not_begun_again(database: Database, database_url: str) -> None:
    impatient = Database(database_url, patience_s=0)
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        projects.create(session, "acme", "a")
        raise OperationalError("", None, Exception("database is locked"))

    with pytest.raises(OperationalError):
        impatient.transact(work)
    assert (len(tries), names(database)) == (1, [])
    impatient.dispose()


def test_a_busy_sqlite_file_is_tried_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('busy') / 'x.db'}")
    tries: list[int] = []

    def work(_session: Session) -> int:
        tries.append(1)
        if len(tries) == 1:
            holder, late = database.engine.raw_connection(), database.engine.raw_connection()
            try:
                holder.cursor().execute("BEGIN IMMEDIATE")
                late.cursor().execute("PRAGMA busy_timeout=0")
                with pytest.raises(Exception, match="locked") as busy:
                    late.cursor().execute("BEGIN IMMEDIATE")
                raise OperationalError("BEGIN IMMEDIATE", None, busy.value)
            finally:
                holder.rollback()
                late.invalidate()
                holder.close()
        return len(tries)

    assert database.transact(work) == 2
    database.dispose()
