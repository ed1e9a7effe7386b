"""Docker images."""

from collections.abc import Sequence
from typing import Any

from app.api.access import read, transact
from app.api.blueprint import Blueprint
from app.api.schemas.images import DockerImageQuery, DockerImageSchema
from app.models import DockerImage
from app.services import images

blueprint = Blueprint("Docker Images", __name__, url_prefix="/api/docker-images", description="Images for steps")


@blueprint.get("")
@blueprint.arguments(DockerImageQuery, location="query")
@blueprint.response(200, DockerImageSchema(many=True), description="Images, oldest first")
@blueprint.errors(400)
def list_images(query: dict[str, bool]) -> Sequence[DockerImage]:
    """List docker images

    All of them, or with `public=true` only those that every account may use.
    """
    return read(images.list_all, **query)


@blueprint.post("")
@blueprint.arguments(DockerImageSchema)
@blueprint.response(201, DockerImageSchema, description="The new image")
@blueprint.errors(400, 409, 413, 415)
def create_image(body: dict[str, Any]) -> DockerImage:
    """Register a docker image

    Steps name it by its slug. Of two requests for one slug the first gets it, the other is a conflict.
    """
    return transact(images.create, **body)
