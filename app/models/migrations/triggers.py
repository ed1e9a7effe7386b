"""Triggers that migrations make. Whoever changes this changes what a new database gets, and no old one."""

from alembic import op


def refuse(name: str, change: str, table: str, condition: str) -> None:
    """Make the change an error where the condition holds; the error names the trigger `tr_{name}`."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER tr_{name} BEFORE {change} ON {table} FOR EACH ROW WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, 'tr_{name}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION tr_{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE integrity_constraint_violation USING MESSAGE = 'tr_{name}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER tr_{name} BEFORE {change} ON {table} FOR EACH ROW WHEN ({condition}) "
        f"EXECUTE FUNCTION tr_{name}()"
    )
