"""The audit log."""

from marshmallow import fields

from app.api.schemas.base import BaseSchema, PageQuery, Text, identifier, instant, page_limit, pagination, shown
from app.domain.audit import AuditAction


class AuditEntrySchema(BaseSchema):
    """One change of state: who made it, and what it was."""

    id = identifier("entry")
    project_id = shown("The project it happened in, if any")
    action = shown("What happened, as `thing.happened`", example=AuditAction.STEP_COMPLETED)
    details = fields.Dict(
        dump_only=True,
        metadata={
            "description": "Who did it (`actor`), what it concerns, and where a status changed, `before` and `after`",
            "example": {"actor": "runner-1", "step": "test", "attempt": 1, "before": "RUNNING", "after": "SUCCESS"},
        },
    )
    created_at = instant("When it happened")


class AuditQuery(PageQuery):
    """Which entries."""

    limit = page_limit(100)
    project_id = Text(metadata={"description": "Only entries of this project"})
    action = Text(
        metadata={
            "description": "Only entries of this action, one of: " + ", ".join(f"`{action}`" for action in AuditAction)
        }
    )


class AuditPageSchema(BaseSchema):
    """A page of entries, newest first."""

    audit_logs = fields.List(
        fields.Nested(AuditEntrySchema), attribute="rows", metadata={"description": "The page's entries, newest first"}
    )
    pagination = pagination()
