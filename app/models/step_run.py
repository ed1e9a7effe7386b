"""Step runs, the edges between them, their attempts, and what the attempts printed."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.engine import Settlement
from app.domain.limits import NAME_LENGTH
from app.domain.vocabulary import FINAL_STEP_STATUSES, AttemptStatus, Reason, RunIf, StepStatus
from app.models.base import (
    ID_LENGTH,
    Base,
    UtcDateTime,
    WordType,
    final_when,
    needs,
    new_id,
    one_of,
    reason_explains,
)
from app.models.build import belongs_to_build

FINAL_ATTEMPT_STATUSES = frozenset(AttemptStatus) - {AttemptStatus.RUNNING}


class StepRun(Base):
    """One step in one build.

    `definition` is the build's own copy of the step as it was posted; nothing changes it. `waiting_on` counts the
    dependencies that are not settled, `worst` is the worst settlement among the others. `attempt` is the number of
    the attempt that runs or may start next. READY rows are the outbox: `dispatched_at` says when a message for this
    attempt was last sent, `redispatch_at` when to send another if nobody claims it.
    """

    __tablename__ = "step_runs"
    __table_args__ = (
        belongs_to_build(),
        UniqueConstraint("build_id", "position"),
        UniqueConstraint("build_id", "name"),
        one_of("status", StepStatus),
        one_of("reason", Reason),
        one_of("worst", Settlement),
        one_of("run_if", RunIf),
        final_when("status", FINAL_STEP_STATUSES),
        reason_explains(FINAL_STEP_STATUSES - {StepStatus.SUCCESS}),
        needs(StepStatus.READY, "ready_at"),
        needs(StepStatus.READY, "redispatch_at"),
        needs(StepStatus.RUNNING, "started_at"),
        CheckConstraint("position >= 0", name="position_not_negative"),
        CheckConstraint("waiting_on >= 0", name="waiting_on_not_negative"),
        CheckConstraint("attempt >= 1", name="attempt_from_one"),
        CheckConstraint("(dispatches = 0) = (dispatched_at IS NULL)", name="dispatches_have_dispatched_at"),
        CheckConstraint("dispatches >= 0", name="dispatches_not_negative"),
        CheckConstraint(
            "status IN ('PENDING', 'SKIPPED', 'CANCELLED') OR waiting_on = 0", name="pending_while_waiting"
        ),
        Index(
            "ix_step_runs_outbox",
            "redispatch_at",
            sqlite_where=text("status = 'READY'"),
            postgresql_where=text("status = 'READY'"),
        ),
        Index(
            "ix_step_runs_undispatched",
            "build_id",
            sqlite_where=text("status = 'READY' AND dispatched_at IS NULL"),
            postgresql_where=text("status = 'READY' AND dispatched_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    build_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    project_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    definition: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    image_url: Mapped[str] = mapped_column(String)
    pool: Mapped[str] = mapped_column(String(63))
    run_if: Mapped[RunIf] = mapped_column(WordType(RunIf))
    allow_failure: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[StepStatus] = mapped_column(WordType(StepStatus))
    reason: Mapped[Reason | None] = mapped_column(WordType(Reason))
    waiting_on: Mapped[int] = mapped_column(Integer)
    worst: Mapped[Settlement] = mapped_column(WordType(Settlement))
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    runner: Mapped[str | None] = mapped_column(String)
    exit_code: Mapped[int | None] = mapped_column(Integer)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dispatched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    redispatch_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dispatches: Mapped[int] = mapped_column(Integer, default=0)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StepEdge(Base):
    """`downstream` depends on `upstream`; both are step runs of the build, which triggers see to.

    A build may have 100,000 edges, and PostgreSQL checks foreign keys row by row: see docs/decisions.
    """

    __tablename__ = "step_edges"
    __table_args__ = (CheckConstraint("upstream <> downstream", name="joins_two_steps"),)

    upstream: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    downstream: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    build_id: Mapped[str] = mapped_column(String(ID_LENGTH))


class Attempt(Base):
    """One try of a step run, from its claim on. At most one of a step run is live, and a final one never changes.

    `claim_key` tells a claim that is repeated, its answer having been lost, from a second one by the same runner.
    `deadline_at` is when the step's time limit is over, a grace for the runner's own report included;
    `lease_expires_at` is when the runner counts as lost. Both are by the database's clock. `handed_back`: its runner
    gave it up for no fault of the step's.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        one_of("status", AttemptStatus),
        one_of("reason", Reason),
        final_when("status", FINAL_ATTEMPT_STATUSES),
        reason_explains(FINAL_ATTEMPT_STATUSES - {AttemptStatus.SUCCESS}),
        CheckConstraint("number >= 1", name="number_from_one"),
        CheckConstraint("NOT handed_back OR (reason IS NOT NULL AND reason = 'lost')", name="handed_back_is_lost"),
        Index(
            "uq_attempts_live",
            "step_run_id",
            unique=True,
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
        Index(
            "ix_attempts_lease",
            "lease_expires_at",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    step_run_id: Mapped[str] = mapped_column(ForeignKey("step_runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    status: Mapped[AttemptStatus] = mapped_column(WordType(AttemptStatus))
    reason: Mapped[Reason | None] = mapped_column(WordType(Reason))
    handed_back: Mapped[bool] = mapped_column(Boolean, default=False)
    runner: Mapped[str | None] = mapped_column(String)
    claim_key: Mapped[str | None] = mapped_column(String(200))
    exit_code: Mapped[int | None] = mapped_column(Integer)
    heartbeats: Mapped[bool] = mapped_column(Boolean)
    lease_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deadline_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LogChunk(Base):
    """Bytes an attempt printed, from `start` on; the chunks of an attempt join without gap or overlap."""

    __tablename__ = "log_chunks"
    __table_args__ = (
        ForeignKeyConstraint(["step_run_id", "attempt"], ["attempts.step_run_id", "attempts.number"]),
        CheckConstraint("start >= 0", name="start_not_negative"),
        CheckConstraint("length(content) > 0", name="content_not_empty"),
    )

    step_run_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
