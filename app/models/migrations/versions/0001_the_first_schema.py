"""the first schema.

Written out, words and all: a migration says what a database of its time has, so it must not change when the code does.
Constraints carry the names that the naming rule in `app/models/base.py` gives them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ACTIONS = (
    "build.created",
    "build.finished",
    "build.started",
    "image.created",
    "project.created",
    "step.cancelled",
    "step.claimed",
    "step.completed",
    "step.expired",
    "step.ready",
    "step.retried",
    "step.skipped",
    "workflow.created",
)
REASONS = ("cancelled", "condition", "config", "dependency", "exit", "lost", "reused", "timeout")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
UNEXPLAINED = "(status = 'SUCCESS' AND reason = 'reused')"


def upgrade() -> None:
    create_projects()
    create_builds()
    create_step_runs()
    create_attempts()
    create_audit()
    create_presence()


def create_projects() -> None:
    op.create_table(
        "projects",
        *(key("id"), text("account_id"), text("name", 100), instant("created_at"), instant("updated_at")),
        primary_key("projects", "id"),
    )
    op.create_index("ix_projects_account_id_id", "projects", ["account_id", "id"])
    op.create_table(
        "workflows",
        *(key("id"), key("project_id"), text("name", 100), sa.Column("steps", sa.JSON(), nullable=False)),
        *(instant("created_at"), instant("updated_at")),
        primary_key("workflows", "id"),
        reference("workflows", "projects", project_id="id"),
        unique("workflows", "id", "project_id"),
    )
    op.create_index("ix_workflows_project_id_id", "workflows", ["project_id", "id"])
    op.create_table(
        "docker_images",
        *(key("id"), text("slug", 50), text("image_url"), flag("public"), instant("created_at")),
        primary_key("docker_images", "id"),
        unique("docker_images", "slug"),
    )


def create_builds() -> None:
    op.create_table(
        "builds",
        *(key("id"), key("project_id"), key("workflow_id")),
        *(word("status"), word("status_reason", optional=True), number("open_steps")),
        *(text("repo_url", optional=True), text("commit_hash", 64, optional=True), text("branch", optional=True)),
        *(text("commit_message", optional=True), text("commit_author", optional=True)),
        *(text("idempotency_key", 255, optional=True), text("request_hash", 64, optional=True)),
        *(instant("created_at"), instant("planned_at", optional=True)),
        *(instant("started_at", optional=True), instant("finished_at", optional=True)),
        primary_key("builds", "id"),
        reference("builds", "workflows", workflow_id="id", project_id="project_id"),
        unique("builds", "id", "project_id"),
        unique("builds", "project_id", "idempotency_key"),
        known("builds", "status", ("FAILED", "PENDING", "RUNNING", "SUCCESS")),
        known("builds", "status_reason", REASONS),
        check("builds", "final_has_finished_at", "(status IN ('FAILED', 'SUCCESS')) = (finished_at IS NOT NULL)"),
        check("builds", "final_has_no_open_steps", "finished_at IS NULL OR open_steps = 0"),
        check("builds", "open_steps_not_negative", "open_steps >= 0"),
        check("builds", "running_has_started_at", "status <> 'RUNNING' OR started_at IS NOT NULL"),
        check("builds", "failed_has_status_reason", "status <> 'FAILED' OR status_reason IS NOT NULL"),
        check("builds", "success_has_no_reason", "status <> 'SUCCESS' OR status_reason IS NULL"),
        check("builds", "planned_before_it_starts", "status = 'PENDING' OR planned_at IS NOT NULL"),
        check("builds", "key_has_request_hash", "(idempotency_key IS NULL) = (request_hash IS NULL)"),
    )
    op.create_index("ix_builds_project_id_id", "builds", ["project_id", "id"])
    partial_index("ix_builds_unplanned", "builds", "id", "planned_at IS NULL")


def create_step_runs() -> None:
    op.create_table(
        "step_runs",
        *(key("id"), key("build_id"), key("project_id"), number("position"), text("name", 100)),
        *(sa.Column("definition", sa.JSON(), nullable=False), text("image_url"), text("pool", 63)),
        *(word("run_if"), flag("allow_failure"), word("status"), word("reason", optional=True)),
        *(number("waiting_on"), word("worst"), number("attempt")),
        *(text("runner", optional=True), number("exit_code", optional=True), instant("ready_at", optional=True)),
        *(instant("dispatched_at", optional=True), instant("redispatch_at", optional=True), number("dispatches")),
        *(instant("started_at", optional=True), instant("finished_at", optional=True)),
        primary_key("step_runs", "id"),
        reference("step_runs", "builds", build_id="id", project_id="project_id"),
        unique("step_runs", "build_id", "position"),
        unique("step_runs", "build_id", "name"),
        known("step_runs", "status", ("CANCELLED", "FAILED", "PENDING", "READY", "RUNNING", "SKIPPED", "SUCCESS")),
        known("step_runs", "reason", REASONS),
        known("step_runs", "worst", ("failed", "omitted", "passed")),
        known("step_runs", "run_if", ("always", "failure", "success")),
        check(
            "step_runs",
            "final_has_finished_at",
            "(status IN ('CANCELLED', 'FAILED', 'SKIPPED', 'SUCCESS')) = (finished_at IS NOT NULL)",
        ),
        check(
            "step_runs",
            "reason_explains_status",
            f"(status IN ('CANCELLED', 'FAILED', 'SKIPPED')) = (reason IS NOT NULL) OR {UNEXPLAINED}",
        ),
        check("step_runs", "ready_has_ready_at", "status <> 'READY' OR ready_at IS NOT NULL"),
        check("step_runs", "ready_has_redispatch_at", "status <> 'READY' OR redispatch_at IS NOT NULL"),
        check("step_runs", "running_has_started_at", "status <> 'RUNNING' OR started_at IS NOT NULL"),
        check("step_runs", "position_not_negative", "position >= 0"),
        check("step_runs", "waiting_on_not_negative", "waiting_on >= 0"),
        check("step_runs", "attempt_from_one", "attempt >= 1"),
        check("step_runs", "dispatches_have_dispatched_at", "(dispatches = 0) = (dispatched_at IS NULL)"),
        check("step_runs", "dispatches_not_negative", "dispatches >= 0"),
        check(
            "step_runs",
            "pending_while_waiting",
            "status IN ('PENDING', 'SKIPPED', 'CANCELLED') OR waiting_on = 0",
        ),
    )
    partial_index("ix_step_runs_outbox", "step_runs", "redispatch_at", "status = 'READY'")
    partial_index("ix_step_runs_undispatched", "step_runs", "build_id", "status = 'READY' AND dispatched_at IS NULL")
    op.create_table(
        "step_edges",
        *(key("upstream"), key("downstream"), key("build_id")),
        primary_key("step_edges", "upstream", "downstream"),
        check("step_edges", "joins_two_steps", "upstream <> downstream"),
    )


def create_attempts() -> None:
    op.create_table(
        "attempts",
        *(key("step_run_id"), number("number"), word("status"), word("reason", optional=True)),
        *(text("runner", optional=True), text("claim_key", 200, optional=True), number("exit_code", optional=True)),
        *(flag("handed_back"), flag("heartbeats"), instant("lease_expires_at"), instant("deadline_at")),
        *(instant("started_at"), instant("finished_at", optional=True)),
        primary_key("attempts", "step_run_id", "number"),
        reference("attempts", "step_runs", step_run_id="id"),
        known("attempts", "status", ("CANCELLED", "FAILED", "RUNNING", "SUCCESS")),
        known("attempts", "reason", REASONS),
        check(
            "attempts",
            "final_has_finished_at",
            "(status IN ('CANCELLED', 'FAILED', 'SUCCESS')) = (finished_at IS NOT NULL)",
        ),
        check(
            "attempts",
            "reason_explains_status",
            f"(status IN ('CANCELLED', 'FAILED')) = (reason IS NOT NULL) OR {UNEXPLAINED}",
        ),
        check("attempts", "number_from_one", "number >= 1"),
        check("attempts", "handed_back_is_lost", "NOT handed_back OR (reason IS NOT NULL AND reason = 'lost')"),
    )
    partial_index("uq_attempts_live", "attempts", "step_run_id", "finished_at IS NULL", one_each=True)
    partial_index("ix_attempts_lease", "attempts", "lease_expires_at", "finished_at IS NULL")
    op.create_table(
        "log_chunks",
        *(key("step_run_id"), number("attempt"), sa.Column("start", sa.BigInteger(), nullable=False)),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        primary_key("log_chunks", "step_run_id", "attempt", "start"),
        reference("log_chunks", "attempts", step_run_id="step_run_id", attempt="number"),
        check("log_chunks", "start_not_negative", "start >= 0"),
        check("log_chunks", "content_not_empty", "length(content) > 0"),
    )


def create_audit() -> None:
    op.create_table(
        "audit_entries",
        *(key("id"), key("project_id", optional=True), word("action")),
        *(sa.Column("details", sa.JSON(), nullable=False), instant("created_at")),
        primary_key("audit_entries", "id"),
        reference("audit_entries", "projects", project_id="id"),
        known("audit_entries", "action", ACTIONS),
    )
    op.create_index("ix_audit_entries_project_id_id", "audit_entries", ["project_id", "id"])
    op.create_index("ix_audit_entries_action_id", "audit_entries", ["action", "id"])
    op.create_index("ix_audit_entries_project_id_action_id", "audit_entries", ["project_id", "action", "id"])
    op.create_table(
        "audit_counts",
        *(key("project_id"), word("action"), number("shard"), number("entries")),
        primary_key("audit_counts", "project_id", "action", "shard"),
        known("audit_counts", "action", ACTIONS),
        check("audit_counts", "shard_not_negative", "shard >= 0"),
        check("audit_counts", "entries_positive", "entries > 0"),
    )


def create_presence() -> None:
    table = op.create_table(
        "api_presence",
        *(number("id"), instant("since"), instant("seen_at")),
        primary_key("api_presence", "id"),
        check("api_presence", "one_row", "id = 1"),
    )
    op.bulk_insert(table, [{"id": 1, "since": LONG_AGO, "seen_at": LONG_AGO}])


def key(name: str, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), nullable=optional)


def word(name: str, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(20), nullable=optional)


def text(name: str, length: int | None = None, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=optional)


def number(name: str, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=optional)


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def instant(name: str, optional: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=optional)


def primary_key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def reference(table: str, target: str, **columns: str) -> sa.ForeignKeyConstraint:
    """Each named column of the table refers to the column of the target that it is set to."""
    targets = [f"{target}.{column}" for column in columns.values()]
    return sa.ForeignKeyConstraint(list(columns), targets, name=op.f(f"fk_{table}_{'_'.join(columns)}"))


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def known(table: str, column: str, words: Sequence[str]) -> sa.CheckConstraint:
    values = ", ".join(f"'{each}'" for each in words)
    return check(table, f"{column}_known", f"{column} IN ({values})")


def partial_index(name: str, table: str, column: str, condition: str, one_each: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], unique=one_each, sqlite_where=where, postgresql_where=where)
