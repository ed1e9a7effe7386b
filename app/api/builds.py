"""Builds of a project, and one build with everything in it."""

from typing import Any

from app.api.access import paged, read, settings, transact
from app.api.blueprint import Blueprint
from app.api.schemas.base import page_query
from app.api.schemas.builds import BuildDetailSchema, BuildHeaders, BuildPageSchema, BuildSchema, NewBuild
from app.domain.errors import Fault, Invalid
from app.domain.references import check_repo_url
from app.models import Build
from app.services import builds, steps

DEFAULT_LIMIT = 20

blueprint = Blueprint("Builds", __name__, url_prefix="/api", description="Runs of workflows")
blueprint.path_id("id", "project_id", "Project")

details = Blueprint("Build details", __name__, url_prefix="/api/builds", description="One build")
details.path_id("id", "build_id", "Build")


@blueprint.get("/projects/<id>/builds")
@blueprint.arguments(page_query(DEFAULT_LIMIT), location="query")
@blueprint.response(200, BuildPageSchema, description="A page of the project's builds, newest first")
@blueprint.errors(400, 404)
def list_builds(query: dict[str, int], project_id: str) -> dict[str, Any]:
    """List a project's builds"""
    return paged(read(builds.list_for_project, project_id, **query))


@blueprint.post("/projects/<id>/builds")
@blueprint.arguments(BuildHeaders, location="headers")
@blueprint.arguments(NewBuild)
@blueprint.response(201, BuildSchema, description="The new build; it starts by itself")
@blueprint.errors(400, 404, 409, 413, 415)
def create_build(headers: dict[str, str], body: dict[str, Any], project_id: str) -> Build:
    """Create a build: it is safe once this answers, whether or not anything can run it yet"""
    refuse_repository(body.get("repo_url"))
    return transact(builds.create, project_id, builds.BuildRequest(**body), **headers)


@details.get("/<id>")
@details.response(200, BuildDetailSchema, description="The build and its step runs")
@details.errors(404)
def get_build(build_id: str) -> dict[str, Any]:
    """Show a build with its step runs"""
    detail = read(steps.of_build, build_id)
    return {**vars(detail.build), "steps": detail.steps}


def refuse_repository(url: str | None) -> None:
    """Invalid for a repository that this server, with its settings, does not check out."""
    if url is not None and (why := check_repo_url(url, settings().allow_file_repos)):
        raise Invalid(f"the request is not valid: repoUrl: {why}", [Fault("repoUrl", "invalid", why)])
