"""A system of the test's own, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.tasks.system import System
from tests.support import postgres
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    """A Redis that a test may stop, freeze and empty."""
    server = RedisServer()
    yield server
    server.remove()


@pytest.fixture
def system(database_url: str, broker: RedisServer, tmp_path: Path) -> Iterator[System]:
    """Nothing runs yet but the database and the broker."""
    made = System(database_url, broker, tmp_path)
    yield made
    made.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that a test may stop and freeze."""
    with postgres.running() as server:
        yield server


@pytest.fixture
def system_on_own_postgres(own_postgres: PostgresServer, broker: RedisServer, tmp_path: Path) -> Iterator[System]:
    with own_postgres.database() as url:
        made = System(url, broker, tmp_path)
        yield made
        made.close()
