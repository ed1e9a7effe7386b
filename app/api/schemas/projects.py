"""Projects."""

from marshmallow import validate

from app.api.schemas.base import BaseSchema, Text, identifier, instant
from app.domain.limits import NAME_LENGTH

NAME = validate.Length(min=1, max=NAME_LENGTH)


class ProjectSchema(BaseSchema):
    """A project: what workflows and builds belong to."""

    id = identifier("project")
    account_id = Text(
        required=True,
        trim=True,
        validate=validate.Length(min=1),
        metadata={"description": "The account the project belongs to", "example": "acme"},
    )
    name = Text(
        required=True,
        trim=True,
        validate=NAME,
        metadata={"description": "What people call the project", "example": "rocket"},
    )
    created_at = instant("When the project was created")
    updated_at = instant("When the project was last changed")


class ProjectQuery(BaseSchema):
    """Which projects."""

    account_id = Text(
        required=True, trim=True, metadata={"description": "The account whose projects to list", "example": "acme"}
    )
