"""Counts what a unit of work asks of the database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from app.models.database import Database


@dataclass
class Work:
    """Statements sent, and rows that these returned or changed, where the driver tells."""

    statements: int = 0
    rows: int = 0

    def count(self, _connection: object, cursor: Any, *_rest: object) -> None:
        self.statements += 1
        self.rows += max(cursor.rowcount, 0)


def work_of(database: Database, action: Callable[[], object]) -> Work:
    """What the action costs; one statement sent for many rows counts once, its rows each."""
    work = Work()
    event.listen(database.engine, "after_cursor_execute", work.count)
    action()
    event.remove(database.engine, "after_cursor_execute", work.count)
    return work
