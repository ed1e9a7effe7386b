"""A system of the test's own, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.tasks.system import System
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
