"""A database of the test's own, on SQLite and on PostgreSQL, with a project in it."""

from collections.abc import Iterator

import pytest

from app.models.database import Database
from tests.integration.plant import Plant

THREADS = 24
"""As many connections as a test's threads use at once, the widest join apart, whose threads take turns."""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, pool_size=THREADS)
    yield opened
    opened.dispose()


@pytest.fixture
def plant(database: Database) -> Plant:
    return Plant(database)
