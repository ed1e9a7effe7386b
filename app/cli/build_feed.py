"""Builds that begin and end, as the audit log tells of them: asked for now and then, each told once."""

from contextlib import suppress
from datetime import UTC, datetime

from app.cli.answers import AuditEntry, Build
from app.cli.client import ApiClient
from app.cli.errors import Refused, ServerUnreachable
from app.cli.outcome import counts
from app.cli.wording import duration, one_line, origin, short_id
from app.domain.audit import AuditAction

TOLD = (AuditAction.BUILD_CREATED, AuditAction.BUILD_FINISHED)
PAGE = 20  # more builds than begin or end between two looks, and where it is not, the oldest are passed over


class BuildFeed:
    """What happened to builds since it was made. A server that does not answer is asked again the next time.

    Where it does not answer at the very first time either, what it tells first counts as old.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._seen: dict[AuditAction, str] = {}
        self._untold: dict[str, AuditEntry] = {}
        self._names: dict[tuple[str, str], str] = {}
        self.news()

    def news(self) -> list[str]:
        """A line for each build that was created or finished since the last call, oldest first."""
        lines = []
        with suppress(Refused, ServerUnreachable):
            for action in TOLD:
                self._untold.update((entry.id, entry) for entry in self._unseen(action))
            for key, entry in sorted(self._untold.items()):
                lines.append(self._line(entry))
                del self._untold[key]
        return lines

    def _unseen(self, action: AuditAction) -> list[AuditEntry]:
        """Entries after the newest one seen; ids are ordered by time."""
        entries = self._client.audit_entries(action, PAGE)
        newest = entries[0].id if entries else ""
        seen = self._seen.setdefault(action, newest)
        self._seen[action] = max(seen, newest)
        return [entry for entry in entries if entry.id > seen]

    def _line(self, entry: AuditEntry) -> str:
        build = self._client.build(entry.build_id)
        told = ended(build) if entry.action == AuditAction.BUILD_FINISHED else begun(build)
        return f"{self._name(build)}  {short_id(build.id)}  {told}"

    def _name(self, build: Build) -> str:
        """`project / workflow`; neither changes, so each is asked for once."""
        key = build.project_id, build.workflow_id
        if key not in self._names:
            names = self._client.project_name(build.project_id), self._client.workflow_name(build.workflow_id)
            self._names[key] = " / ".join(map(one_line, names))
        return self._names[key]


def begun(build: Build) -> str:
    steps = "1 step" if len(build.steps) == 1 else f"{len(build.steps)} steps"
    return f"begins: {steps}  {origin(build)}".rstrip()


def ended(build: Build) -> str:
    elapsed_s = build.elapsed_s(datetime.now(UTC)) or 0.0
    return f"{build.status} in {duration(elapsed_s)}: {counts(build)}"
