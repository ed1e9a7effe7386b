"""A served API with something in it, and the runner's and the orchestrator's parts where a test plays them."""

from dataclasses import dataclass
from typing import Any

from app.services import planning
from tests.api.served import Answer, Client

NOBODY = "01890000-0000-7000-8000-000000000000"
STEP = {"imageSlug": "alpine", "dependsOn": [], "runScript": "true", "cacheDirs": [], "outputPaths": []}
DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


@dataclass(frozen=True)
class World:
    """A project with a diamond and a build of it, whose step `a` is ready; and another project with a workflow."""

    client: Client
    project: str
    workflow: str
    build: str
    steps: dict[str, str]
    other_project: str
    other_workflow: str

    def names(self) -> dict[str, str]:
        """What paths and bodies may name in braces."""
        return {
            "project": self.project,
            "workflow": self.workflow,
            "build": self.build,
            "other_project": self.other_project,
            "other_workflow": self.other_workflow,
            "nobody": NOBODY,
            **self.steps,
        }


def diamond() -> list[dict[str, Any]]:
    return [{**STEP, "name": name, "dependsOn": depends_on} for name, depends_on in DIAMOND.items()]


def new_project(client: Client, name: str) -> str:
    return client.created("/api/projects", {"accountId": "acme", "name": name})


def new_image(client: Client) -> None:
    client.created("/api/docker-images", {"slug": "alpine", "imageUrl": "alpine:3.20", "public": True})


def new_workflow(client: Client, project: str, steps: list[dict[str, Any]]) -> str:
    return client.created(f"/api/projects/{project}/workflows", {"name": "ci", "steps": steps})


def new_build(client: Client, project: str, workflow: str, **fields: Any) -> str:
    """A build whose first steps are ready."""
    build = client.created(f"/api/projects/{project}/builds", {"workflowId": workflow, **fields})
    client.database.transact(planning.plan, build)
    return build


def steps_of(client: Client, build: str) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in client.get(f"/api/builds/{build}").body["steps"]}


def complete(client: Client, step: str, **report: Any) -> Answer:
    return client.post(f"/api/runner/{step}/complete", report)


def claim(client: Client, step: str, runner: str = "one", **fields: Any) -> Answer:
    return client.post(f"/api/runner/{step}/claim", {"runner": runner, **fields})


def make_world(client: Client) -> World:
    new_image(client)
    project, other = new_project(client, "rocket"), new_project(client, "other")
    workflow = new_workflow(client, project, diamond())
    build = new_build(client, project, workflow)
    steps = {name: step["id"] for name, step in steps_of(client, build).items()}
    return World(client, project, workflow, build, steps, other, new_workflow(client, other, []))
