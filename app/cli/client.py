"""The REST client: every request that the command sends to a Build Server, and the errors that can come back.

It knows paths and JSON, and decides nothing. A request that cannot be answered raises `ServerUnreachable`, an answer
in the contract's Error shape raises `Refused` with the server's own words, and so does one that cannot be read.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, ProtocolError

from app.cli.answers import (
    Attempt,
    AuditEntry,
    Build,
    Json,
    Project,
    StoredImage,
    Workflow,
    json_object,
    list_of,
    whole_build,
)
from app.cli.errors import Refused, ServerUnreachable, UsageFault
from app.domain.audit import AuditAction
from config.redaction import without_credentials

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 2.0
REPEATS = 2
"""How often a GET is sent again where the connection broke off: a server process that ends takes its own along."""
WITHOUT_END = "does not say where it ends"
IDENTIFIER = re.compile(r"[A-Za-z0-9-]{1,100}")
REASONS = {
    "refused": "connection refused",
    "timed out": "no answer in time",
    "resolve": "its name is unknown",
    "Name or service": "its name is unknown",
    "BadStatusLine": "what answers does not speak HTTP",
    "IncompleteRead": "the answer broke off",
    WITHOUT_END: "the answer broke off",
    "Connection aborted": "the connection broke off",
}
"""What the library says of a failed request, by a sign that it holds, as a person would say it."""
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What reading an answer raises where it is not JSON, or not of the form that the contract gives it."""

T = TypeVar("T")


class ApiClient:
    """One server, by its base URL; keeps its connection between requests."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url.rstrip("/")
        if not self.server_url.startswith(("http://", "https://")):
            shown = server_url.rpartition("@")[2]  # what stands before it may be a password
            raise UsageFault(f"{shown!r} is no server address: it must start with http:// or https://")
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def images(self) -> list[StoredImage]:
        return self._get("/api/docker-images", list_of(StoredImage.from_json))

    def create_image(self, slug: str, image_url: str) -> None:
        self._post("/api/docker-images", {"slug": slug, "imageUrl": image_url}, json_object)

    def projects(self, account_id: str) -> list[Project]:
        return self._get("/api/projects", list_of(Project.from_json), accountId=account_id)

    def create_project(self, account_id: str, name: str) -> Project:
        return self._post("/api/projects", {"accountId": account_id, "name": name}, Project.from_json)

    def workflows(self, project_id: str) -> list[Workflow]:
        """The project's workflows without their steps, oldest first."""
        return self._get(f"/api/projects/{_part(project_id)}/workflows", list_of(Workflow.from_json))

    def workflow_steps(self, workflow_id: str) -> list[Json]:
        """The steps of a workflow as they were posted."""
        return self._get(f"/api/workflows/{_part(workflow_id)}", lambda body: list_of(json_object)(body["steps"]))

    def create_workflow(self, project_id: str, name: str, steps: list[Json]) -> Workflow:
        path = f"/api/projects/{_part(project_id)}/workflows"
        return self._post(path, {"name": name, "steps": steps}, Workflow.from_json)

    def create_build(self, project_id: str, body: Json, idempotency_key: str) -> Build:
        """Create a build; sent again with the same key it answers the same build and creates none."""
        headers = {"Idempotency-Key": idempotency_key}
        return self._post(f"/api/projects/{_part(project_id)}/builds", body, Build.from_json, headers)

    def builds_json(self, project_id: str, limit: int) -> list[Json]:
        """The project's builds as the server lists them, newest first and without their steps."""
        path = f"/api/projects/{_part(project_id)}/builds"
        return self._get(path, lambda body: list_of(whole_build)(body["builds"]), limit=limit)

    def build(self, build_id: str) -> Build:
        """The build with its step runs, in the workflow's order."""
        return self._of_build(build_id, Build.from_json)

    def build_json(self, build_id: str) -> Json:
        """The same as the server sent it, for `--json`."""
        return self._of_build(build_id, whole_build)

    def attempts(self, step_id: str) -> list[Attempt]:
        """Every try of the step run so far, oldest first."""
        return self._get(f"/api/steps/{_part(step_id)}/attempts", list_of(Attempt.from_json))

    def audit_entries(self, action: str, limit: int, offset: int = 0) -> list[AuditEntry]:
        """Entries of an action on builds, newest first."""
        read = list_of(AuditEntry.from_json)
        query: dict[str, str | int] = {"action": action, "limit": limit, "offset": offset}
        return self._get("/api/audit-logs", lambda body: read(body["auditLogs"]), **query)

    def project_name(self, project_id: str) -> str:
        """As the project was called when it was created; the API lists projects by their accounts only."""
        query: dict[str, str | int] = {"projectId": project_id, "action": AuditAction.PROJECT_CREATED, "limit": 1}
        return self._get("/api/audit-logs", lambda body: str(body["auditLogs"][0]["details"]["name"]), **query)

    def workflow_name(self, workflow_id: str) -> str:
        return self._get(f"/api/workflows/{_part(workflow_id)}", lambda body: str(body["name"]))

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

    def _of_build(self, build_id: str, read: Callable[[Any], T]) -> T:
        try:
            return self._get(f"/api/builds/{_part(build_id)}", read)
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            here = without_credentials(self.server_url)
            raise Refused(error.status, f"no build {build_id!r} at {here}; `buildserver builds` lists them") from error

    def _get(self, path: str, read: Callable[[Any], T], **query: str | int) -> T:
        target = f"{path}?{urlencode(query)}" if query else path
        return self._read(self._request("GET", target), read)

    def _post(self, path: str, body: Json, read: Callable[[Any], T], headers: Mapping[str, str] | None = None) -> T:
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._read(self._request("POST", path, json.dumps(body).encode(), sent), read)

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._sent(method, path, body, headers, repeats=REPEATS if method == "GET" else 0)
        except LocationParseError as error:
            raise UsageFault(f"{self._shown_url!r} is no server address") from error
        except HTTPError as error:
            raise ServerUnreachable(self._unreachable(error)) from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(answer.status, self._refusal(answer))
        return answer

    def _sent(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None, repeats: int
    ) -> urllib3.BaseHTTPResponse:
        for _ in range(repeats):
            with suppress(ProtocolError):
                return self._whole(method, path, body, headers)
        return self._whole(method, path, body, headers)

    def _whole(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> urllib3.BaseHTTPResponse:
        """An answer that breaks off in its head does not say where it ends, and looks like an empty one else."""
        answer = self._pool.request(method, self.server_url + path, body=body, headers=headers)
        told = answer.headers
        if not told.get("Content-Length", "").isdigit() and told.get("Transfer-Encoding", "").lower() != "chunked":
            raise ProtocolError(WITHOUT_END)
        return answer

    def _unreachable(self, error: HTTPError) -> str:
        return f"no Build Server answers at {self._shown_url} ({_reason(error)}); start one with `buildserver up`"

    def _refusal(self, answer: urllib3.BaseHTTPResponse) -> str:
        try:
            return _error_text(json.loads(answer.data))
        except UNREADABLE:
            return f"{self._shown_url} answered {answer.status} and is no Build Server (or something stands before it)"

    def _read(self, answer: urllib3.BaseHTTPResponse, read: Callable[[Any], T]) -> T:
        try:
            return read(json.loads(answer.data))
        except UNREADABLE as error:
            what = "is no Build Server, or one of another version: its answer cannot be read"
            raise Refused(answer.status, f"{self._shown_url} {what}") from error

    @property
    def _shown_url(self) -> str:
        return without_credentials(self.server_url)


def _part(identifier: str) -> str:
    """An id as one part of a path. What cannot be an id is not sent, as it could be taken for more than one part."""
    if not IDENTIFIER.fullmatch(identifier):
        raise UsageFault(f"{identifier!r} is no id: ids are of letters, digits and hyphens")
    return identifier


def _error_text(body: Json) -> str:
    """The contract's Error shape as text: the message, then one line per detail that says more."""
    told = str(body["error"])
    details = [_detail_text(detail) for detail in body.get("details", [])]
    return "\n".join([told, *(f"  {detail}" for detail in details if detail not in told)])


def _detail_text(detail: Json) -> str:
    where = f"{detail['path']}: " if detail.get("path") else ""
    return f"{where}{detail.get('message', detail)}"


def _reason(error: HTTPError) -> str:
    text = str(error)
    told = (words for sign, words in REASONS.items() if sign in text)
    return next(told, text.rsplit(": ", 1)[-1])
