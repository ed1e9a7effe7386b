"""what never changes.

Triggers, as the last line behind the services' guards: a status that is final stays, an attempt's number never falls,
and the audit log is only added to.

One way leads out of a final step run: a rerun, which starts a new attempt of the step and resets the steps that depend
on it. So a final step run may become READY or PENDING, and only together with a higher attempt number; whatever was
said about the lower number, a late report or a repeated message, is stale from then on and cannot be mistaken for news.
A build and an attempt have no such way.
"""

from app.models.migrations.triggers import refuse

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BECAME_FINAL = "OLD.finished_at IS NOT NULL"
"""The first schema ties the finishing time to the final statuses."""
IS_RERUN = "(NEW.attempt > OLD.attempt AND NEW.status IN ('PENDING', 'READY'))"


def upgrade() -> None:
    refuse("builds_final", "UPDATE OF status", "builds", f"{BECAME_FINAL} AND NEW.status <> OLD.status")
    refuse(
        "step_runs_final",
        "UPDATE OF status",
        "step_runs",
        f"{BECAME_FINAL} AND NEW.status <> OLD.status AND NOT {IS_RERUN}",
    )
    refuse("step_runs_attempt", "UPDATE OF attempt", "step_runs", "NEW.attempt < OLD.attempt")
    refuse("attempts_final", "UPDATE", "attempts", BECAME_FINAL)
    refuse("audit_entries_update", "UPDATE", "audit_entries", "1 = 1")
    refuse("audit_entries_delete", "DELETE", "audit_entries", "1 = 1")
