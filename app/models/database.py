"""The door to the database: units of work.

A service gets a session and never commits; `Database.transact` runs it, commits, and only then hands on the hints the
service left behind. Where the database asks for it (a deadlock, a lock that was not to be had, a busy file, a
connection that died before the commit) the whole unit of work is run again, so services read what they need inside.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.models.database_errors import is_transient
from app.models.engines import make_engine
from app.models.hints import Hint, hints_of

T = TypeVar("T")

TRIES = 5
"""How often a unit of work is run before its error is the caller's: contention clears soon or not at all."""
FIRST_PAUSE_S = 0.02


class Database:
    """One process's access to the database; safe to share between its threads, not across a fork."""

    def __init__(
        self,
        url: str,
        pool_size: int = 10,
        on_hints: Callable[[Sequence[Hint]], None] | None = None,
        patience_s: float = math.inf,
    ) -> None:
        """`patience_s`: a unit of work that took longer in vain is not run again, as whoever asked for it waits."""
        self.engine = make_engine(url, pool_size)
        self._reader = self.engine.execution_options(reads=True)
        self._on_hints = on_hints
        self._patience_s = patience_s

    def transact(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run `work(session, …)` in one transaction and commit it, again where the database asks for that.

        What the work returns stays readable after the commit. Hints it left are handed on once, after the commit.
        A connection that dies during the commit is the caller's error: whether the work was done is not known then.
        """
        tired_at = time.monotonic() + self._patience_s
        for left in range(TRIES - 1, -1, -1):
            with Session(self.engine, expire_on_commit=False) as session:
                try:
                    result = work(session, *args, **kwargs)
                    session.flush()
                except DBAPIError as error:
                    if not left or not is_transient(error) or time.monotonic() >= tired_at:
                        raise
                else:
                    self._commit(session)
                    return result
            time.sleep(random.uniform(0, FIRST_PAUSE_S * 2 ** (TRIES - 1 - left)))
        raise AssertionError("the last try returns or raises")

    def _commit(self, session: Session) -> None:
        """Commit, once: where the connection dies meanwhile nobody knows what came of it, and again could be twice."""
        session.commit()
        hints = hints_of(session)
        if hints and self._on_hints:
            self._on_hints(hints)

    def read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run `work(session, …)` in a transaction that writes nothing, which on SQLite waits for no writer."""
        with Session(self._reader, expire_on_commit=False) as session:
            return work(session, *args, **kwargs)

    def dispose(self) -> None:
        self.engine.dispose()
