"""what edges join.

An edge joins two step runs of its own build. Two foreign keys said so first, and made the database check each of a
build's edges by itself, twice; PostgreSQL took longer for that than for all else that makes a large build. A trigger
says the same: there it looks once at all edges that a statement adds.

It looks when edges are added, so what it saw must stay: no edge is changed, and no step run is deleted or given to
another build. Whoever deletes old builds one day replaces the last two triggers by ones that know about that.
"""

from alembic import op

from app.models.migrations.triggers import refuse

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFUSED = "tr_step_edges_ends"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        refuse_strangers_row_by_row()
    else:
        refuse_strangers_at_once()
    refuse("step_edges_update", "UPDATE", "step_edges", "1 = 1")
    refuse("step_runs_delete", "DELETE", "step_runs", "1 = 1")
    refuse(
        "step_runs_identity", "UPDATE OF id, build_id", "step_runs", "NEW.id <> OLD.id OR NEW.build_id <> OLD.build_id"
    )


def refuse_strangers_row_by_row() -> None:
    """SQLite has no other triggers, and its rows are in the same process."""
    known = "EXISTS (SELECT 1 FROM step_runs WHERE id = NEW.{end} AND build_id = NEW.build_id)"
    upstream, downstream = known.format(end="upstream"), known.format(end="downstream")
    op.execute(
        f"CREATE TRIGGER {REFUSED} BEFORE INSERT ON step_edges FOR EACH ROW WHEN NOT ({upstream} AND {downstream}) "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    )


def refuse_strangers_at_once() -> None:
    """The cost is that of the statement's edges and of the steps of the builds they name."""
    ends = "SELECT build_id, upstream FROM added UNION SELECT build_id, downstream FROM added"
    steps = "SELECT build_id, id FROM step_runs WHERE build_id IN (SELECT build_id FROM added)"
    op.execute(
        f"CREATE FUNCTION {REFUSED}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF EXISTS (({ends}) EXCEPT {steps}) THEN "
        f"RAISE integrity_constraint_violation USING MESSAGE = '{REFUSED}'; END IF; RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {REFUSED} AFTER INSERT ON step_edges REFERENCING NEW TABLE AS added "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {REFUSED}()"
    )
