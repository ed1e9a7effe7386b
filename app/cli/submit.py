"""Turns a workflow file and a source into a build on the server: images, project, workflow, build, in that order.

What is there already is used again, so that running the same file twice adds one build and nothing else.
"""

import uuid
from typing import Any

from app.cli.answers import Build, Project, Workflow
from app.cli.client import ApiClient
from app.cli.errors import ServerUnreachable
from app.cli.git_source import Source
from app.cli.images import register_images
from app.cli.workflow_file import WorkflowFile

BUILD_TRIES = 3


def submit(client: ApiClient, file: WorkflowFile, account: str, project_name: str, source: Source | None) -> Build:
    """Create the build. Posting it is repeated where the answer was lost; the server makes one build of it."""
    slugs = register_images(client, file.images())
    project = _find_project(client, account, project_name) or client.create_project(account, project_name)
    workflow = _workflow(client, project, file.name, file.payload(slugs))
    body = {"workflowId": workflow.id, **(source.fields if source else {})}
    return _create_build(client, project.id, body)


def _find_project(client: ApiClient, account: str, name: str) -> Project | None:
    return next((project for project in client.projects(account) if project.name == name), None)


def _workflow(client: ApiClient, project: Project, name: str, steps: list[dict[str, Any]]) -> Workflow:
    """The newest workflow of that name if its steps are the same, else a new one."""
    namesakes = [workflow for workflow in client.workflows(project.id) if workflow.name == name]
    if namesakes and client.workflow_steps(namesakes[-1].id) == steps:
        return namesakes[-1]
    return client.create_workflow(project.id, name, steps)


def _create_build(client: ApiClient, project_id: str, body: dict[str, Any]) -> Build:
    key = str(uuid.uuid4())
    for _ in range(BUILD_TRIES - 1):
        try:
            return client.create_build(project_id, body, key)
        except ServerUnreachable:
            continue
    return client.create_build(project_id, body, key)
