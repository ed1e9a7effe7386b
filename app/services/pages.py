"""A page of a list, newest first, and how its bounds are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.models import Build
from app.models.audit import AuditEntry

MAX_LIMIT = 1_000

Row = TypeVar("Row", Build, AuditEntry)
"""Whatever is listed in pages has an `id`, and ids sort as their rows were made."""


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


def page_of(
    session: Session, listed: type[Row], which: Sequence[ColumnElement[bool]], total: int, limit: int, offset: int
) -> Page[Row]:
    """The rows that belong on the page, of the `total` that there are; a limit over MAX_LIMIT is lowered to it.

    What lies before a page has to be counted off: ids alone are, from an index, and from whichever end is nearer.
    """
    limit = min(limit, MAX_LIMIT)
    if offset >= total:
        return Page([], total, limit, offset)
    size = min(limit, total - offset)
    after = total - offset - size
    order, skipped = (listed.id.desc(), offset) if offset <= after else (listed.id, after)
    ids = session.scalars(select(listed.id).where(*which).order_by(order).limit(size).offset(skipped)).all()
    rows = session.scalars(select(listed).where(listed.id.in_(ids)).order_by(listed.id.desc())).all()
    return Page(rows, total, limit, offset)
