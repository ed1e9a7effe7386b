"""Docker images."""

from marshmallow import validate

from app.api.schemas.base import BaseSchema, QueryBoolean, Text, TrueFalse, identifier, instant
from app.domain.limits import SLUG_LENGTH
from app.domain.references import check_image_url


class DockerImageSchema(BaseSchema):
    """An image that steps name by its slug."""

    id = identifier("docker image")
    slug = Text(
        required=True,
        trim=True,
        validate=validate.Length(min=1, max=SLUG_LENGTH),
        metadata={"description": "The name steps use for the image; unique on this server", "example": "python"},
    )
    image_url = Text(
        required=True,
        check=check_image_url,
        metadata={
            "description": "An image reference such as `alpine:3.20`, or a URI such as `docker://alpine:3.20`",
            "format": "uri",
            "example": "docker://python:3.12-slim",
        },
    )
    public = TrueFalse(load_default=False, metadata={"description": "Whether every account may use the image"})
    created_at = instant("When the image was registered")


class DockerImageQuery(BaseSchema):
    """Which images."""

    public = QueryBoolean(metadata={"description": "true: only public images; otherwise all of them"})
