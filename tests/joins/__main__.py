"""Contended joins: `python -m tests.joins --joins 10000 --database postgresql` (or `make joins JOINS=10000`).

Siblings of a join report their end at the same moment; the join must become READY once. Ends with 1 where one was
missed or doubled. Parts with different seeds add up.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.models import migrate
from tests.joins.count import BATCH, Count, count
from tests.support import postgres as postgresql

TELL_EVERY = 20 * BATCH
MEMORY = Path("/dev/shm")
"""Where there is such a folder, SQLite's file is there, for nothing here is meant to last; PostgreSQL's options say the
same."""


def main() -> int:
    """Count, tell how far it is now and then, and tell what came of it."""
    asked = _arguments()
    began = time.monotonic()
    with _database(asked.database) as url:
        for so_far in count(url, asked.joins, asked.seed):
            if so_far.joins % TELL_EVERY == 0:
                print(told(so_far, asked.database, time.monotonic() - began), flush=True)
    took_s = time.monotonic() - began
    print("in all", told(so_far, asked.database, took_s), *so_far.wrong, sep="\n  ")
    if asked.json:
        about = {"database": asked.database, "seed": asked.seed, "seconds": round(took_s, 1)}
        asked.json.write_text(json.dumps({**about, **vars(so_far)}, indent=1))
    return 1 if so_far.wrong else 0


def told(so_far: Count, database: str, took_s: float) -> str:
    """One line for people."""
    return (
        f"{database}: {so_far.joins:,} joins of width {min(so_far.widths)}–{max(so_far.widths)},"
        f" {so_far.siblings:,} siblings: {so_far.missed} missed, {so_far.doubled} doubled,"
        f" {so_far.refused} reports refused, {took_s:.0f} s"
    )


@contextmanager
def _database(kind: str) -> Iterator[str]:
    """A database of its own, gone afterwards."""
    if kind == "postgresql":
        server = postgresql.PostgresServer(postgresql.find_programs())
        try:
            with server.database() as url:
                yield url
        finally:
            server.stop()
        return
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        url = f"sqlite:///{folder}/joins.db"
        migrate.upgrade(url)
        yield url


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make joins", description=__doc__.split("\n")[0])
    parser.add_argument("--joins", type=int, default=10_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the widths; runs with different ones add up")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--json", type=Path, help="a file for the counts")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
