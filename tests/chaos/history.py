"""What the server says happened, read over its API: each build with its steps, attempts, logs and audit entries."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.client import Client

PAGE = 1_000
BUILD = ""
"""The name under which a build stands beside its steps."""


@dataclass(frozen=True)
class History:
    """One build. All but the first are by the step run's name: attempts and their logs oldest first, and its moves,
    those of the build itself under no name."""

    build: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    attempts: Mapping[str, list[Mapping[str, Any]]]
    logs: Mapping[str, list[bytes]]
    moves: Mapping[str, list[Mapping[str, Any]]]

    def statuses(self) -> dict[str, str]:
        """The build's, under no name, and its steps'."""
        return {BUILD: self.build["status"], **{name: step["status"] for name, step in self.steps.items()}}


def read(client: Client, build: str, told: list[Mapping[str, Any]]) -> History:
    """`told`: what the audit log has of its moves, oldest first, as `moves` sorts them."""
    detail = client.get(f"/api/builds/{build}")
    steps = {step["name"]: step for step in detail["steps"]}
    attempts = {name: client.get(f"/api/steps/{step['id']}/attempts") for name, step in steps.items()}
    logs = {name: _logs(client, steps[name]["id"], tries) for name, tries in attempts.items()}
    moves: dict[str, list[Mapping[str, Any]]] = {name: [] for name in (BUILD, *steps)}
    for details in told:
        moves[details.get("step", BUILD)].append(details)
    return History(detail, steps, attempts, logs, moves)


def statuses(client: Client, build: str) -> dict[str, str]:
    """Those of a build and its steps, as they are now."""
    detail = client.get(f"/api/builds/{build}")
    return {BUILD: detail["status"], **{step["name"]: step["status"] for step in detail["steps"]}}


def _logs(client: Client, step_id: str, attempts: list[Mapping[str, Any]]) -> list[bytes]:
    return [client.raw(f"/api/steps/{step_id}/log?attempt={attempt['attempt']}") for attempt in attempts]


def moves(client: Client) -> dict[str, list[Mapping[str, Any]]]:
    """By build, what the audit log has of its moves and of its steps', oldest first."""
    sorted_out: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in _audit(client):
        if "before" in entry["details"]:
            sorted_out[entry["details"]["buildId"]].append(entry["details"])
    return sorted_out


def _audit(client: Client) -> list[Mapping[str, Any]]:
    """Every audit entry, oldest first."""
    entries: list[Mapping[str, Any]] = []
    while True:
        page = client.get(f"/api/audit-logs?limit={PAGE}&offset={len(entries)}")
        entries += page["auditLogs"]
        if not page["pagination"]["hasMore"]:
            return entries[::-1]
