"""Builds of a project, and one build with everything in it."""

from typing import Any

from app.api.access import paged, read, settings, transact
from app.api.blueprint import Blueprint
from app.api.schemas.base import PageQuery
from app.api.schemas.builds import BuildDetailSchema, BuildHeaders, BuildPageSchema, BuildSchema, NewBuild
from app.domain.errors import Fault, Invalid
from app.domain.references import check_repo_url
from app.models import Build
from app.services import builds, steps

blueprint = Blueprint("Builds", __name__, url_prefix="/api", description="Runs of workflows")

of_project = Blueprint("of_project", __name__, url_prefix="/projects/<id>/builds")
of_project.path_id("id", "project_id", "Project")

single = Blueprint("single", __name__, url_prefix="/builds/<id>")
single.path_id("id", "build_id", "Build")


@of_project.get("")
@of_project.arguments(PageQuery, location="query")
@of_project.response(200, BuildPageSchema, description="A page of the project's builds, newest first")
@of_project.errors(400, 404)
def list_builds(query: dict[str, int], project_id: str) -> dict[str, Any]:
    """List a project's builds

    Without their step runs, which each build shows by itself.
    """
    return paged(read(builds.list_for_project, project_id, **query))


@of_project.post("")
@of_project.arguments(BuildHeaders, location="headers")
@of_project.arguments(NewBuild)
@of_project.response(201, BuildSchema, description="The new build; it starts by itself")
@of_project.errors(400, 404, 409, 413, 415)
def create_build(headers: dict[str, str], body: dict[str, Any], project_id: str) -> Build:
    """Create a build

    It is safe once this answers, whether or not anything can run it yet. A build copies the workflow's steps and
    images: nothing that changes later alters it.
    """
    refuse_repository(body.get("repo_url"))
    return transact(builds.create, project_id, builds.BuildRequest(**body), **headers)


@single.get("")
@single.response(200, BuildDetailSchema, description="The build and its step runs")
@single.errors(404)
def get_build(build_id: str) -> dict[str, Any]:
    """Show a build with its step runs

    The build's status is SUCCESS or FAILED once every step run is final.
    """
    detail = read(steps.of_build, build_id)
    return {**vars(detail.build), "steps": detail.steps}


def refuse_repository(url: str | None) -> None:
    """Invalid for a repository that this server, with its settings, does not check out."""
    if url is not None and (why := check_repo_url(url, settings().allow_file_repos)):
        raise Invalid(f"the request is not valid: repoUrl: {why}", [Fault("repoUrl", "invalid", why)])


blueprint.register_blueprint(of_project)
blueprint.register_blueprint(single)
