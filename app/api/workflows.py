"""Workflows of a project."""

from collections.abc import Sequence
from typing import Any

from app.api.access import read, settings, transact
from app.api.blueprint import Blueprint
from app.api.schemas.workflows import NewWorkflow, WorkflowDetailSchema, WorkflowSchema
from app.domain.graph import GraphLimits
from app.models import Workflow
from app.services import workflows

blueprint = Blueprint("Workflows", __name__, url_prefix="/api", description="Graphs of steps")

of_project = Blueprint("of_project", __name__, url_prefix="/projects/<id>/workflows")
of_project.path_id("id", "project_id", "Project")

single = Blueprint("single", __name__, url_prefix="/workflows/<id>")
single.path_id("id", "workflow_id", "Workflow")


@of_project.get("")
@of_project.response(200, WorkflowSchema(many=True), description="The project's workflows, oldest first")
@of_project.errors(404)
def list_workflows(project_id: str) -> Sequence[Workflow]:
    """List a project's workflows

    Without their steps, which each workflow shows by itself.
    """
    return read(workflows.list_for_project, project_id)


@of_project.post("")
@of_project.arguments(NewWorkflow)
@of_project.response(201, WorkflowSchema, description="The new workflow")
@of_project.errors(400, 404, 413, 415)
def create_workflow(body: dict[str, Any], project_id: str) -> Workflow:
    """Create a workflow

    Its graph and its images are checked: unknown, repeated and circular dependencies are refused, each with its path
    in `details`. A workflow never changes after.
    """
    limits = GraphLimits(settings().max_steps, settings().max_edges)
    return transact(workflows.create, project_id, **body, limits=limits)


@single.get("")
@single.response(200, WorkflowDetailSchema, description="The workflow and its steps")
@single.errors(404)
def get_workflow(workflow_id: str) -> Workflow:
    """Show a workflow with its steps

    The steps are shown as they were posted; what was left out then is left out here.
    """
    return read(workflows.get, workflow_id)


blueprint.register_blueprint(of_project)
blueprint.register_blueprint(single)
