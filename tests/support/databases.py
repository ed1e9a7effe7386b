"""A database for a program that is no test, of the kind it was asked for. Tests have the fixture `database_url`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.models import migrate
from tests.support import postgres

KINDS = ("postgresql", "sqlite")
MEMORY = Path("/dev/shm")


@contextmanager
def migrated(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database with the current schema; SQLite's file is in the folder, PostgreSQL's goes with it."""
    if kind == "postgresql":
        with postgres.running() as server, server.database() as url:
            yield url
        return
    url = sqlite_url(folder)
    migrate.upgrade(url)
    yield url


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder without a disk, where there is one: for programs in which only processes die, so nothing must outlast
    the machine. PostgreSQL's options say the same."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'buildserver.db'}"
