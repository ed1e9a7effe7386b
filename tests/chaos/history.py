"""What the server says happened, read over its API: each build with its steps, attempts, logs and audit entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.client import Client

PAGE = 1_000


@dataclass(frozen=True)
class History:
    """One build. `attempts` and `log_bytes` are by the step run's name, the latter of its last attempt."""

    build: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    attempts: Mapping[str, list[Mapping[str, Any]]]
    log_bytes: Mapping[str, int]
    moves: Mapping[str, list[Mapping[str, Any]]]


def read(client: Client, build: str, audit: list[Mapping[str, Any]]) -> History:
    """`audit`: every entry there is, oldest first."""
    detail = client.get(f"/api/builds/{build}")
    steps = {step["name"]: step for step in detail["steps"]}
    attempts = {name: client.get(f"/api/steps/{step['id']}/attempts") for name, step in steps.items()}
    sizes = {name: len(client.raw(f"/api/steps/{step['id']}/log")) for name, step in steps.items() if attempts[name]}
    moves: dict[str, list[Mapping[str, Any]]] = {name: [] for name in steps}
    for entry in audit:
        details = entry["details"]
        if details.get("buildId") == build and "step" in details:
            moves[details["step"]].append(details)
    return History(detail, steps, attempts, sizes, moves)


def audit(client: Client) -> list[Mapping[str, Any]]:
    """Every audit entry, oldest first."""
    entries: list[Mapping[str, Any]] = []
    while True:
        page = client.get(f"/api/audit-logs?limit={PAGE}&offset={len(entries)}")
        entries += page["auditLogs"]
        if not page["pagination"]["hasMore"]:
            return entries[::-1]
