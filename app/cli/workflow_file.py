"""The workflow file: YAML with the API's own field names, read strictly and turned into what the API takes.

Two fields are the file's own: `image` (an image reference, registered on the way) in place of `imageSlug`, and `run`
for `runScript`. Lists that the contract requires may be left out and are then empty.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.field_readers import Reading, boolean, fields, integer, list_of, map_of_text, one_of, text
from app.cli.wording import writable
from app.cli.yaml_nodes import FileFaults, compose_file
from app.domain.graph import GraphLimits, Node, graph_faults
from app.domain.limits import MAX_RETRIES, MAX_TIMEOUT_S, NAME_LENGTH, SLUG_LENGTH
from app.domain.references import check_cache_dir, check_env_name, check_image_url, check_pool, check_workspace_path
from app.domain.retry import RETRYABLE
from app.domain.vocabulary import RunIf
from config.settings import Settings

DEFAULT_IMAGE = "debian:12-slim"
"""For steps that name none: the contract wants an image of every step, also where a runner uses no containers."""


def _check_trimmed(value: str) -> str | None:
    return None if value == value.strip() else "must not begin or end with blanks"


RETRIES_FIELDS = {"limit": integer(0, MAX_RETRIES), "reasons": list_of(one_of(*sorted(RETRYABLE)))}
STEP_FIELDS = {
    "name": text(max_length=NAME_LENGTH, check=_check_trimmed),
    "image": text(check=check_image_url),
    "imageSlug": text(max_length=SLUG_LENGTH),
    "dependsOn": list_of(text(check=_check_trimmed)),
    "run": text(),
    "runScript": text(),
    "env": map_of_text(check_env_name),
    "cacheDirs": list_of(text(check=check_cache_dir)),
    "outputPaths": list_of(text(check=check_workspace_path)),
    "timeoutSeconds": integer(1, MAX_TIMEOUT_S),
    "retries": fields("retries", RETRIES_FIELDS, required=("limit",)),
    "pool": text(check=check_pool),
    "allowFailure": boolean,
    "runIf": one_of(*RunIf),
}
NAMES_ELSEWHERE = {
    **dict.fromkeys(["script", "command", "commands", "cmd"], "run"),
    **dict.fromkeys(["needs", "requires", "depends_on", "after"], "dependsOn"),
    **dict.fromkeys(["environment", "variables"], "env"),
    **dict.fromkeys(["if", "when", "condition"], "runIf"),
    **dict.fromkeys(["timeout", "timeout_minutes", "timeout-minutes"], "timeoutSeconds"),
    **dict.fromkeys(["artifacts", "outputs"], "outputPaths"),
    **dict.fromkeys(["cache", "caches"], "cacheDirs"),
    **dict.fromkeys(["allow_failure", "continue-on-error", "ignore_failure"], "allowFailure"),
    **dict.fromkeys(["retry", "max_retries"], "retries"),
    **dict.fromkeys(["runs-on", "tags", "agents", "labels"], "pool"),
    **dict.fromkeys(["stage", "group"], "dependsOn"),
    "container": "image",
}
ALIASES = {"run": "runScript", "image": "imageSlug"}
WORKFLOW = fields(
    "a workflow",
    {
        "name": text(max_length=NAME_LENGTH, check=_check_trimmed),
        "steps": list_of(fields("a step", STEP_FIELDS, required=("name",), elsewhere=NAMES_ELSEWHERE)),
    },
    required=("steps",),
)


@dataclass(frozen=True)
class WorkflowFile:
    """A faultless workflow file. Its steps have the API's field names, but `image` is still a reference, not a slug."""

    name: str
    steps: tuple[dict[str, Any], ...]

    def images(self) -> list[str]:
        """The image references that have to be registered, each once."""
        return list(dict.fromkeys(step["image"] for step in self.steps if "image" in step))

    def payload(self, slugs: dict[str, str]) -> list[dict[str, Any]]:
        """The steps as the API takes them; `slugs` says the slug of each image reference."""
        return [_with_slug(step, slugs) for step in self.steps]


def read_workflow_file(path: Path, settings: Settings) -> WorkflowFile:
    """Read and check the file as far as that goes without the server. Raises FileFaults with every fault found."""
    root = compose_file(path)
    reading = Reading()
    content = WORKFLOW(reading, root, "") or {}
    steps = [_step(reading, step, f"steps[{index}]") for index, step in enumerate(content.get("steps", []))]
    _check_graph(reading, steps, settings)
    if reading.faults:
        raise FileFaults(str(path), reading.faults)
    return WorkflowFile(content.get("name", writable(path.stem)[:NAME_LENGTH]), tuple(steps))


def _step(reading: Reading, written: dict[str, Any] | None, path: str) -> dict[str, Any]:
    if written is None:
        return {}
    for alias, field in ALIASES.items():
        if alias in written and field in written:
            reading.fault_at(f"{path}.{field}", f"says the same as {alias!r}; give one of the two")
    step: dict[str, Any] = {"dependsOn": [], "cacheDirs": [], "outputPaths": [], **written}
    if "run" in step:
        step["runScript"] = step.pop("run")
    if "runScript" not in step and not reading.has(f"{path}.run") and not reading.has(f"{path}.runScript"):
        reading.fault_at(f"{path}.run", "is missing; a step needs it")
    if "imageSlug" not in step:
        step.setdefault("image", DEFAULT_IMAGE)
    return step


def _check_graph(reading: Reading, steps: list[dict[str, Any]], settings: Settings) -> None:
    """Note the graph's faults that do not follow from others: a name that cannot be read may be anybody's."""
    names_known = all("name" in step for step in steps)
    at_fault = {fault.field for fault in reading.faults}
    nodes = [_node(step, index) for index, step in enumerate(steps)]
    for fault in graph_faults(nodes, GraphLimits(settings.max_steps, settings.max_edges)):
        if fault.path not in at_fault and (names_known or fault.code != "unknown_dependency"):
            reading.fault_at(fault.path, fault.message)


def _node(step: dict[str, Any], index: int) -> Node:
    """The step for the graph; what could not be read is a name that nobody has."""
    unread = f"\0{index}"
    return Node(step.get("name", unread), [need or f"{unread}?" for need in step.get("dependsOn", [])])


def _with_slug(step: dict[str, Any], slugs: dict[str, str]) -> dict[str, Any]:
    sent = {field: value for field, value in step.items() if field != "image"}
    return {**sent, "imageSlug": slugs[step["image"]]} if "image" in step else sent
