"""Workflows: graphs of steps, checked when they are posted, and never changed after."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app.domain.audit import AuditAction
from app.domain.errors import Fault, Invalid, NotFound
from app.domain.graph import GraphLimits, Node, graph_faults
from app.models import Workflow
from app.services import images, projects
from app.services.trail import Trail


def create(
    session: Session, project_id: str, name: str, steps: Sequence[dict[str, Any]], limits: GraphLimits
) -> Workflow:
    """Store a workflow whose steps have the right shape; Invalid names every fault of its graph and its images."""
    project = projects.get(session, project_id)
    faults = [*graph_faults([Node(step["name"], step["dependsOn"]) for step in steps], limits)]
    faults += _image_faults(session, steps)
    if faults:
        raise Invalid("the workflow's steps cannot be run as they stand", faults)
    with Trail(session, actor="api") as trail:
        workflow = Workflow(
            project_id=project.id, name=name, steps=list(steps), created_at=trail.now, updated_at=trail.now
        )
        session.add(workflow)
        session.flush()
        trail.record(AuditAction.WORKFLOW_CREATED, project.id, workflowId=workflow.id, name=name, steps=len(steps))
    return workflow


def list_for_project(session: Session, project_id: str) -> Sequence[Workflow]:
    """A project's workflows, oldest first, without their steps."""
    project = projects.get(session, project_id)
    return session.scalars(select(Workflow).where(Workflow.project_id == project.id).order_by(Workflow.id)).all()


def get(session: Session, workflow_id: str) -> Workflow:
    """The workflow with its steps, or NotFound."""
    workflow = session.get(Workflow, workflow_id, options=[undefer(Workflow.steps)])
    if workflow is None:
        raise NotFound("Workflow")
    return workflow


def get_of_project(session: Session, workflow_id: str, project_id: str) -> Workflow:
    """The workflow with its steps where it belongs to the project; otherwise NotFound, as if there were none."""
    workflow = get(session, workflow_id)
    if workflow.project_id != project_id:
        raise NotFound("Workflow")
    return workflow


def _image_faults(session: Session, steps: Sequence[dict[str, Any]]) -> list[Fault]:
    known = images.urls_by_slug(session, (step["imageSlug"] for step in steps))
    return [
        Fault(
            f"steps[{index}].imageSlug",
            "unknown_image",
            f"no docker image has the slug '{step['imageSlug']}'; register it with POST /api/docker-images",
        )
        for index, step in enumerate(steps)
        if step["imageSlug"] not in known
    ]
