"""What alembic runs: the migrations on the connection that `app.models.migrate` brings."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from app.models import Base
from app.models.base import UtcDateTime, WordType


def render_plain_type(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Our column types are written as what they store: a migration must not change when the code does."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, WordType):
        return "sa.String(20)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=render_plain_type,
)
with context.begin_transaction():
    context.run_migrations()
