"""Since when there has been an API to renew leases at."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UtcDateTime

THE_ROW = 1


class ApiPresence(Base):
    """One row for all API processes together, made with the table. Both times are by the database's clock.

    `seen_at` is when one of them last wrote here, `since` when the first one did after a gap.
    """

    __tablename__ = "api_presence"
    __table_args__ = (CheckConstraint(f"id = {THE_ROW}", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
