"""Engines, set up so that neither SQLite nor PostgreSQL loses an update, and that nobody waits for either for ever."""

import sqlite3
import time
import traceback
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another writer; writing transactions here take milliseconds."""
WAL_PAUSE_S = 0.02

POOL_RECYCLE_S = 1_800
TIMEOUTS = "-c lock_timeout=2000 -c statement_timeout=10000 -c idle_in_transaction_session_timeout=15000"
"""Milliseconds. No statement of ours comes near; one that does is stuck, and an error frees the rows it holds. A wait
for a row that another transaction holds ends first, and is begun again with the whole unit of work."""
ANSWER_S = 12.0
"""PostgreSQL itself ends a statement two seconds before: one that is not answered by now never will be."""
LIVENESS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""Seconds, the last one milliseconds. A server whose machine is gone says nothing; TCP alone would wait for hours."""


def make_engine(url: str, pool_size: int, patient: bool = False) -> Engine:
    """An engine for either database; `pool_size` is the number of threads that use it at once.

    `patient`: without PostgreSQL's timeouts and ours, for a migration, which may work long on a large table.
    """
    if url.startswith("sqlite"):
        return _sqlite_engine(url, pool_size)
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=pool_size,
        pool_recycle=POOL_RECYCLE_S,
        connect_args={"options": "" if patient else TIMEOUTS, "client_encoding": "utf8", **LIVENESS},
    )
    if not patient:
        event.listen(engine, "do_connect", _connect_impatiently)
    return engine


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is given up where the server stands still and its machine does not, so that TCP sees nothing
    wrong with it: a process that is stopped, a disk that hangs."""

    def wait(self, *arguments: Any, **options: Any) -> Any:
        """Every question's answer is waited for here."""
        began = time.monotonic()
        try:
            return super().wait(*arguments, **{**options, "timeout": ANSWER_S})
        except psycopg.OperationalError as error:
            if time.monotonic() - began < ANSWER_S:
                raise
            self.close()
            raise psycopg.OperationalError(f"the server has not answered for {ANSWER_S:g} s") from error


def _connect_impatiently(_dialect: object, _record: object, arguments: Any, options: Any) -> ImpatientConnection:
    """A connection that did not come about in time is let go of at once. psycopg keeps it, socket and all, in a circle
    that only the garbage collector breaks, and a server that goes on again finds them all waiting to be served."""
    try:
        return ImpatientConnection.connect(*arguments, **options)
    except psycopg.Error as error:
        traceback.clear_frames(error.__traceback__)
        raise


def _sqlite_engine(url: str, pool_size: int) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, pool_size=pool_size)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late and loses updates
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Ask for WAL. It stays with the file; of several connections that change a new file at once, SQLite itself lets
    all but one fail and none wait, whatever the busy timeout."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= give_up_at:
                raise
        time.sleep(WAL_PAUSE_S)


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
