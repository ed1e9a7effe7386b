"""The REST client: every request that the command sends to a Build Server, and the errors that can come back.

It knows paths and JSON, and decides nothing. A request that cannot be answered raises `ServerUnreachable`, an answer
in the contract's Error shape raises `Refused` with the server's own words.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from app.cli.answers import Attempt, AuditEntry, Build, Project, StoredImage, Workflow
from app.cli.errors import Refused, ServerUnreachable, UsageFault

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 2.0

Json = dict[str, Any]


class ApiClient:
    """One server, by its base URL; keeps its connection between requests."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url.rstrip("/")
        if not self.server_url.startswith(("http://", "https://")):
            raise UsageFault(f"{server_url!r} is no server address: it must start with http:// or https://")
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def images(self) -> list[StoredImage]:
        return [StoredImage.from_json(image) for image in self._get("/api/docker-images")]

    def create_image(self, slug: str, image_url: str) -> None:
        self._post("/api/docker-images", {"slug": slug, "imageUrl": image_url})

    def projects(self, account_id: str) -> list[Project]:
        return [Project.from_json(project) for project in self._get("/api/projects", accountId=account_id)]

    def create_project(self, account_id: str, name: str) -> Project:
        return Project.from_json(self._post("/api/projects", {"accountId": account_id, "name": name}))

    def workflows(self, project_id: str) -> list[Workflow]:
        """The project's workflows without their steps, oldest first."""
        return [Workflow.from_json(found) for found in self._get(f"/api/projects/{_part(project_id)}/workflows")]

    def workflow_steps(self, workflow_id: str) -> list[Json]:
        """The steps of a workflow as they were posted."""
        steps: list[Json] = self._get(f"/api/workflows/{_part(workflow_id)}")["steps"]
        return steps

    def create_workflow(self, project_id: str, name: str, steps: list[Json]) -> Workflow:
        path = f"/api/projects/{_part(project_id)}/workflows"
        return Workflow.from_json(self._post(path, {"name": name, "steps": steps}))

    def create_build(self, project_id: str, body: Json, idempotency_key: str) -> Build:
        """Create a build; sent again with the same key it answers the same build and creates none."""
        headers = {"Idempotency-Key": idempotency_key}
        return Build.from_json(self._post(f"/api/projects/{_part(project_id)}/builds", body, headers))

    def builds_json(self, project_id: str, limit: int) -> list[Json]:
        """The project's builds as the server lists them, newest first and without their steps."""
        builds: list[Json] = self._get(f"/api/projects/{_part(project_id)}/builds", limit=limit)["builds"]
        return builds

    def build(self, build_id: str) -> Build:
        """The build with its step runs, in the workflow's order."""
        return Build.from_json(self._get(f"/api/builds/{_part(build_id)}"))

    def build_json(self, build_id: str) -> Json:
        """The same as the server sent it, for `--json`."""
        answer: Json = self._get(f"/api/builds/{_part(build_id)}")
        return answer

    def attempts(self, step_id: str) -> list[Attempt]:
        """Every try of the step run so far, oldest first."""
        return [Attempt.from_json(attempt) for attempt in self._get(f"/api/steps/{_part(step_id)}/attempts")]

    def audit_entries(self, action: str, limit: int) -> list[AuditEntry]:
        """The newest entries of an action on builds, newest first."""
        found = self._get("/api/audit-logs", action=action, limit=limit)
        return [AuditEntry.from_json(entry) for entry in found["auditLogs"]]

    def step_log(self, step_id: str) -> bytes:
        """The newest attempt's log, byte for byte; empty while there is none."""
        try:
            return self._request("GET", f"/api/steps/{_part(step_id)}/log").data
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return b""
            raise

    def ready(self) -> bool:
        """Whether a Build Server answers there, soon, that all of its parts are well."""
        try:
            answer = self._pool.request("GET", f"{self.server_url}/readyz", timeout=READY_TIMEOUT_S)
            return answer.status == HTTPStatus.OK and json.loads(answer.data)["status"] == "ready"
        except (HTTPError, ValueError, LookupError, TypeError):
            return False

    def _get(self, path: str, **query: str | int) -> Any:
        target = f"{path}?{urlencode(query)}" if query else path
        return self._decode(self._request("GET", target))

    def _post(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Any:
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._decode(self._request("POST", path, json.dumps(body).encode(), sent))

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request(method, self.server_url + path, body=body, headers=headers)
        except LocationParseError as error:
            raise UsageFault(f"{self.server_url!r} is no server address: {error}") from error
        except HTTPError as error:
            raise ServerUnreachable(self._unreachable(error)) from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(answer.status, self._refusal(answer))
        return answer

    def _unreachable(self, error: HTTPError) -> str:
        return f"no Build Server answers at {self.server_url} ({_reason(error)}); start one with `buildserver up`"

    def _refusal(self, answer: urllib3.BaseHTTPResponse) -> str:
        try:
            return _error_text(json.loads(answer.data))
        except (ValueError, LookupError, AttributeError, TypeError):
            return f"{self.server_url} answered {answer.status} and is no Build Server (or something stands before it)"

    def _decode(self, answer: urllib3.BaseHTTPResponse) -> Any:
        try:
            return json.loads(answer.data)
        except ValueError as error:
            raise Refused(answer.status, f"{self.server_url} is no Build Server: its answer is not JSON") from error


def _part(identifier: str) -> str:
    """An id as one part of a path, whatever characters somebody typed."""
    return quote(identifier, safe="")


def _error_text(body: Json) -> str:
    """The contract's Error shape as text: the message, then one line per detail that says more."""
    lines = [str(body["error"])]
    for detail in body.get("details", []):
        where = f"{detail['path']}: " if detail.get("path") else ""
        lines.append(f"  {where}{detail.get('message', detail)}")
    return "\n".join(lines)


def _reason(error: HTTPError) -> str:
    text = str(error)
    if "refused" in text:
        return "connection refused"
    if "timed out" in text:
        return "no answer in time"
    if "resolve" in text or "Name or service" in text:
        return "its name is unknown"
    return text.rsplit(": ", 1)[-1]
