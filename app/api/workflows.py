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
blueprint.path_id("id", "project_id", "Project")

details = Blueprint("Workflow details", __name__, url_prefix="/api/workflows", description="One workflow")
details.path_id("id", "workflow_id", "Workflow")


@blueprint.get("/projects/<id>/workflows")
@blueprint.response(200, WorkflowSchema(many=True), description="The project's workflows, oldest first")
@blueprint.errors(404)
def list_workflows(project_id: str) -> Sequence[Workflow]:
    """List a project's workflows"""
    return read(workflows.list_for_project, project_id)


@blueprint.post("/projects/<id>/workflows")
@blueprint.arguments(NewWorkflow)
@blueprint.response(201, WorkflowSchema, description="The new workflow")
@blueprint.errors(400, 404, 413, 415)
def create_workflow(body: dict[str, Any], project_id: str) -> Workflow:
    """Create a workflow: its graph and its images are checked, and it never changes after"""
    limits = GraphLimits(settings().max_steps, settings().max_edges)
    return transact(workflows.create, project_id, **body, limits=limits)


@details.get("/<id>")
@details.response(200, WorkflowDetailSchema, description="The workflow and its steps")
@details.errors(404)
def get_workflow(workflow_id: str) -> Workflow:
    """Show a workflow with its steps"""
    return read(workflows.get, workflow_id)
