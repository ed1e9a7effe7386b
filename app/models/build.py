"""Builds: one run of a workflow's graph, with its own copy of everything it was made from."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.vocabulary import FINAL_BUILD_STATUSES, BuildStatus, Reason
from app.models.base import ID_LENGTH, Base, UtcDateTime, WordType, final_when, needs, new_id, one_of


class Build(Base):
    """A build. `open_steps` counts the step runs that are not final; at zero the build ends in the same transaction.

    `status_reason` is set by the first step run that fails the build. `planned_at` is empty until the steps that wait
    for nothing were made ready. The row's lock orders everything that happens within the build.
    """

    __tablename__ = "builds"
    __table_args__ = (
        ForeignKeyConstraint(["workflow_id", "project_id"], ["workflows.id", "workflows.project_id"]),
        UniqueConstraint("id", "project_id"),
        UniqueConstraint("project_id", "idempotency_key"),
        one_of("status", BuildStatus),
        one_of("status_reason", Reason),
        final_when("status", FINAL_BUILD_STATUSES),
        CheckConstraint("open_steps >= 0", name="open_steps_not_negative"),
        CheckConstraint("finished_at IS NULL OR open_steps = 0", name="final_has_no_open_steps"),
        needs(BuildStatus.RUNNING, "started_at"),
        needs(BuildStatus.FAILED, "status_reason"),
        CheckConstraint("status <> 'SUCCESS' OR status_reason IS NULL", name="success_has_no_reason"),
        CheckConstraint("status = 'PENDING' OR planned_at IS NOT NULL", name="planned_before_it_starts"),
        CheckConstraint("(idempotency_key IS NULL) = (request_hash IS NULL)", name="key_has_request_hash"),
        Index(None, "project_id", "id"),
        Index(
            "ix_builds_unplanned",
            "id",
            sqlite_where=text("planned_at IS NULL"),
            postgresql_where=text("planned_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    workflow_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    status: Mapped[BuildStatus] = mapped_column(WordType(BuildStatus))
    status_reason: Mapped[Reason | None] = mapped_column(WordType(Reason))
    open_steps: Mapped[int] = mapped_column(Integer)
    repo_url: Mapped[str | None] = mapped_column(String)
    commit_hash: Mapped[str | None] = mapped_column(String(64))
    branch: Mapped[str | None] = mapped_column(String)
    commit_message: Mapped[str | None] = mapped_column(String)
    commit_author: Mapped[str | None] = mapped_column(String)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def belongs_to_build() -> ForeignKeyConstraint:
    """A row's build and project name the same build: no row can be filed under another project."""
    return ForeignKeyConstraint(["build_id", "project_id"], ["builds.id", "builds.project_id"])
