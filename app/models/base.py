"""The declarative base, the column types both databases share, and constraints from the domain's vocabularies."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase
from uuid_utils.compat import uuid7

from app.domain.vocabulary import Word

ID_LENGTH = 36
W = TypeVar("W", bound=Word)


class Base(DeclarativeBase):
    """Every table's base. Constraints get names by rule, so that a migration can find them again."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC, aware on both databases: SQLite keeps no zone, so it is taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class WordType(TypeDecorator[W]):
    """A vocabulary's member, stored as its value."""

    impl = String(20)
    cache_ok = True

    def __init__(self, vocabulary: type[W]) -> None:
        super().__init__()
        self.vocabulary = vocabulary

    def process_bind_param(self, value: W | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> W | None:
        return None if value is None else self.vocabulary(value)


def new_id() -> str:
    """A UUIDv7: unguessable, and in the order of creation when sorted."""
    return str(uuid7())


def one_of(column: str, words: Iterable[Word]) -> CheckConstraint:
    """The column holds one of the words, or nothing where it may be empty."""
    return CheckConstraint(_in(column, words), name=f"{column}_known")


def final_when(column: str, final: Iterable[Word]) -> CheckConstraint:
    """The row has a finishing time exactly when its status is one of the final ones."""
    condition = f"({_in(column, final)}) = (finished_at IS NOT NULL)"
    return CheckConstraint(condition, name="final_has_finished_at")


def needs(status: Word, column: str) -> CheckConstraint:
    """A row in this status has a value in the column."""
    return CheckConstraint(f"status <> '{status}' OR {column} IS NOT NULL", name=f"{status.lower()}_has_{column}")


def reason_explains(statuses: Iterable[Word]) -> CheckConstraint:
    """A row in one of these statuses says why; another one has nothing to explain, unless its result was reused."""
    condition = f"({_in('status', statuses)}) = (reason IS NOT NULL) OR (status = 'SUCCESS' AND reason = 'reused')"
    return CheckConstraint(condition, name="reason_explains_status")


def _in(column: str, words: Iterable[Word]) -> str:
    values = ", ".join(f"'{word}'" for word in sorted(words))
    return f"{column} IN ({values})"
