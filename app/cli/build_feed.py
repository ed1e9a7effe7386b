"""Builds that begin and end, as the audit log tells of them: asked for now and then, each told once."""

from datetime import UTC, datetime

from app.cli.answers import AuditEntry, Build
from app.cli.client import ApiClient
from app.cli.errors import Refused, ServerUnreachable
from app.cli.outcome import counts
from app.cli.wording import duration, origin
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
        self.news()

    def news(self) -> list[str]:
        """A line for each build that was created or finished since the last call, oldest first."""
        try:
            entries = [entry for action in TOLD for entry in self._unseen(action)]
            return [self._line(entry) for entry in sorted(entries, key=lambda entry: entry.id)]
        except (Refused, ServerUnreachable):
            return []

    def _unseen(self, action: AuditAction) -> list[AuditEntry]:
        """Entries after the newest one seen; ids are ordered by time."""
        entries = self._client.audit_entries(action, PAGE)
        newest = entries[0].id if entries else ""
        seen = self._seen.setdefault(action, newest)
        self._seen[action] = max(seen, newest)
        return [entry for entry in entries if entry.id > seen]

    def _line(self, entry: AuditEntry) -> str:
        build = self._client.build(entry.build_id)
        if entry.action == AuditAction.BUILD_FINISHED:
            return ended(build)
        return f"build {build.id} begins: {len(build.steps)} steps  {origin(build)}".rstrip()


def ended(build: Build) -> str:
    elapsed_s = build.elapsed_s(datetime.now(UTC)) or 0.0
    return f"build {build.id} {build.status} in {duration(elapsed_s)}: {counts(build)}"
