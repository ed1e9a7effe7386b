"""The audit log, append-only, and the counts that keep its totals as fast as its pages."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.audit import AuditAction
from app.models.base import ID_LENGTH, Base, UtcDateTime, WordType, new_id, one_of


class AuditEntry(Base):
    """Who did what, and to what: written in the transaction of the change itself, and never changed or deleted."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        one_of("action", AuditAction),
        Index(None, "project_id", "id"),
        Index(None, "action", "id"),
        Index(None, "project_id", "action", "id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"))
    action: Mapped[AuditAction] = mapped_column(WordType(AuditAction))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditCount(Base):
    """How many entries a project (empty: none) has of an action, spread over shards.

    Writers pick a shard at random: the row lock they hold until they commit would otherwise put every transaction of
    a project in one queue. A total is the sum of the rows that match.
    """

    __tablename__ = "audit_counts"
    __table_args__ = (
        one_of("action", AuditAction),
        CheckConstraint("shard >= 0", name="shard_not_negative"),
        CheckConstraint("entries > 0", name="entries_positive"),
    )

    project_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    action: Mapped[AuditAction] = mapped_column(WordType(AuditAction), primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True)
    entries: Mapped[int] = mapped_column(Integer)
