"""Projects."""

from collections.abc import Sequence
from typing import Any

from app.api.access import read, transact
from app.api.blueprint import Blueprint
from app.api.schemas.projects import ProjectQuery, ProjectSchema
from app.models import Project
from app.services import projects

blueprint = Blueprint("Projects", __name__, url_prefix="/api/projects", description="Projects and their accounts")


@blueprint.get("")
@blueprint.arguments(ProjectQuery, location="query")
@blueprint.response(200, ProjectSchema(many=True), description="The account's projects, oldest first")
@blueprint.errors(400)
def list_projects(query: dict[str, Any]) -> Sequence[Project]:
    """List an account's projects

    An account that nobody used has none.
    """
    return read(projects.list_for_account, query["account_id"])


@blueprint.post("")
@blueprint.arguments(ProjectSchema)
@blueprint.response(201, ProjectSchema, description="The new project")
@blueprint.errors(400, 413, 415)
def create_project(body: dict[str, Any]) -> Project:
    """Create a project

    Names need not be unique: the id is what tells projects apart.
    """
    return transact(projects.create, **body)
