"""The audit log."""

from marshmallow import fields

from app.api.schemas.base import BaseSchema, PaginationSchema, Text, identifier, instant, page_query

DEFAULT_LIMIT = 100


class AuditEntrySchema(BaseSchema):
    """One change of state: who made it, and what it was."""

    id = identifier("entry")
    project_id = fields.String(metadata={"description": "The project it happened in, if any"})
    action = fields.String(metadata={"description": "What happened, as `thing.happened`"})
    details = fields.Dict(metadata={"description": "Who did it, what it concerns, before and after"})
    created_at = instant("When it happened")


class AuditQuery(page_query(DEFAULT_LIMIT)):  # type: ignore[misc]  # the base is made by a function
    """Which entries."""

    project_id = Text(metadata={"description": "Only entries of this project"})
    action = Text(metadata={"description": "Only entries of this action"})


class AuditPageSchema(BaseSchema):
    """A page of entries, newest first."""

    audit_logs = fields.List(fields.Nested(AuditEntrySchema), attribute="rows")
    pagination = fields.Nested(PaginationSchema, attribute="page")
