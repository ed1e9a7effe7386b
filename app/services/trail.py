"""The audit trail of one unit of work: every change of state leaves an entry, in the same transaction."""

import random
from collections import Counter
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.models import AuditCount, AuditEntry
from app.models.base import new_id
from app.models.clock import database_now

COUNT_SHARDS = 8
"""Enough that as many transactions of one project as a small server runs at once rarely want the same count row."""


class Trail:
    """A unit of work's session, its one instant, and the entries it leaves, written when the `with` block ends.

    The counts are taken last and in one order, because their row locks are held until the commit.
    """

    def __init__(self, session: Session, actor: str) -> None:
        self.session = session
        self.actor = actor
        self.now: datetime = database_now(session)
        self._entries: list[dict[str, Any]] = []

    def record(self, action: AuditAction, project_id: str | None, **details: Any) -> None:
        """Note an entry; details without a value are left out."""
        known = {key: value for key, value in details.items() if value is not None}
        self._entries.append(
            {
                "id": new_id(),
                "project_id": project_id,
                "action": action,
                "details": {"actor": self.actor, **known},
                "created_at": self.now,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if kind is None and self._entries:
            self.session.flush()
            self.session.execute(insert(AuditEntry), self._entries)
            self._count()

    def _count(self) -> None:
        upsert = postgresql.insert if self.session.get_bind().dialect.name == "postgresql" else sqlite.insert
        shard = random.randrange(COUNT_SHARDS)
        counts = Counter((entry["project_id"] or "", entry["action"]) for entry in self._entries)
        for (project_id, action), entries in sorted(counts.items()):
            values = {"project_id": project_id, "action": action, "shard": shard, "entries": entries}
            statement = upsert(AuditCount).values(values)
            self.session.execute(
                statement.on_conflict_do_update(
                    index_elements=[AuditCount.project_id, AuditCount.action, AuditCount.shard],
                    set_={"entries": AuditCount.entries + statement.excluded.entries},
                )
            )
