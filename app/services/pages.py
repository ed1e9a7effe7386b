"""A page of a list, and how its bounds are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import Session

MAX_LIMIT = 1_000
MAX_OFFSET = 2**31
"""No table here has as many rows; beyond it every page is empty, and SQLite cannot take all that JSON can say."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list that has `total`, from `offset` on, at most `limit`."""

    rows: Sequence[Row]
    total: int
    limit: int
    offset: int

    @property
    def has_more(self) -> bool:
        return self.offset + len(self.rows) < self.total


def page_of(session: Session, query: Select[Row], total: int, limit: int, offset: int) -> Page[Row]:
    """The rows of an ordered query that belong on the page; a limit over MAX_LIMIT is lowered to it."""
    limit = min(limit, MAX_LIMIT)
    rows = session.scalars(query.limit(limit).offset(min(offset, MAX_OFFSET))).all()
    return Page(rows, total, limit, offset)
