"""Each test gets a database of its own, with the current schema, on SQLite and on PostgreSQL."""

import pytest
import redis
from sqlalchemy import create_engine, text

from app.models.migrate import newest_revision
from tests.support.postgres import PostgresServer, packaged_programs
from tests.support.redis_server import RedisServer


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    with engine.begin() as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return found


def test_a_database_has_the_current_schema(database_url: str) -> None:
    assert rows(database_url, "SELECT version_num FROM alembic_version") == [(newest_revision(),)]


@pytest.mark.parametrize("turn", [1, 2])
def test_what_one_test_writes_no_other_sees(database_url: str, turn: int) -> None:
    before = rows(database_url, "SELECT count(*) FROM alembic_version")
    rows(database_url, f"INSERT INTO alembic_version VALUES ('{turn}') RETURNING version_num")
    after = rows(database_url, "SELECT count(*) FROM alembic_version")
    assert (before, after) == ([(1,)], [(2,)])


def test_a_database_goes_although_someone_is_still_connected(postgres: PostgresServer) -> None:
    with postgres.empty_database() as url:
        engine = create_engine(url)
        held = engine.connect()
        held.execute(text("SELECT 1"))
        name = url.partition("/?")[0].rpartition("/")[2].partition("?")[0]
    assert rows(postgres.url("postgres"), f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == []
    held.invalidate()
    engine.dispose()


def test_the_packaged_postgresql_serves_where_none_is_installed() -> None:
    server = PostgresServer(packaged_programs())
    with server.database() as url:
        assert rows(url, "SELECT version_num FROM alembic_version") == [(newest_revision(),)]
    server.stop()


@pytest.mark.parametrize(("keeps", "kept"), [(True, b"1"), (False, None)])
def test_a_redis_that_starts_again_has_what_it_should(keeps: bool, kept: bytes | None) -> None:
    server = RedisServer(keeps)
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "1")
        server.stop()
        with pytest.raises(redis.ConnectionError):
            client.get("kept")
        server.start()
        assert client.get("kept") == kept
    server.remove()
    assert not server.socket.parent.exists()


def test_every_test_finds_redis_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


test_no_test_finds_what_another_left_in_redis = test_every_test_finds_redis_empty
