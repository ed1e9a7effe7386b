"""What the server says about its own health."""

from marshmallow import fields

from app.api.schemas.base import BaseSchema, shown


class HealthSchema(BaseSchema):
    """Alive."""

    status = shown("`ok`, always: a server that is not alive does not answer", example="ok")


class CheckSchema(BaseSchema):
    """One part."""

    ok = fields.Boolean(metadata={"description": "Whether the part works"})
    message = shown("What is wrong with it, where something is")


class ChecksSchema(BaseSchema):
    """Every part the server needs."""

    database = fields.Nested(CheckSchema, metadata={"description": "The database, and whether its schema is current"})
    broker = fields.Nested(CheckSchema, metadata={"description": "Redis, which carries messages to the runners"})


class ReadinessSchema(BaseSchema):
    """Whether every part works, and what is wrong with one that does not."""

    status = shown("`ready` or `unready`", enum=["ready", "unready"])
    checks = fields.Nested(ChecksSchema, metadata={"description": "Each part"})
