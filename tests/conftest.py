"""Fixtures for every test: settings in a folder of the test's own, and real servers that start when first asked for."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import embedded_redis
from app.models import migrate
from config.settings import Settings, load_settings, variables
from tests.support import postgres as postgresql
from tests.support.redis_server import RedisServer

pytest_plugins = ["tests.support.no_skips", "tests.support.watchdog"]


def pytest_configure() -> None:
    """A test says itself what its programs are told; what this shell is set up for is no part of that."""
    for _, variable in variables():
        os.environ.pop(variable.name, None)


def pytest_report_header() -> list[str]:
    return [f"PostgreSQL: {postgresql.find_programs()}", f"Redis: {embedded_redis.find_server()}"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"BUILDSERVER_DATA_DIR": str(tmp_path)})


@pytest.fixture
def collector_at_rest() -> Iterator[None]:
    """For what is nested to the end of the stack: other tests' garbage, collected just there, finds none left to end
    with, and pytest would lay that to this test."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgresql.PostgresServer]:
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the current schema and no rows, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own with the current schema and no rows, on each of the two systems."""
    if request.param == "sqlite":
        copied = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "buildserver.db")
        yield f"sqlite:///{copied}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's Redis. A test that stops or freezes it leaves it running again, or makes one of its own."""
    server = RedisServer()
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    redis_server.flush()
    return redis_server.url
