"""Finds the build that a person means by the beginning of its id, which is all of it that `builds` shows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from app.cli.answers import AuditEntry
from app.cli.client import ApiClient
from app.cli.errors import UsageFault
from app.cli.wording import age
from app.domain.audit import AuditAction

SHORTEST, WHOLE = 4, 36
PAGE = 1000
CANDIDATES = 10


def whole_id(client: ApiClient, wanted: str) -> str:
    """The id that begins so; what begins no build's id stays as it is, for the server to refuse.

    Raises UsageFault with the candidates, newest first, where there are several.
    """
    beginning = wanted.lower()
    if not SHORTEST <= len(beginning) < WHOLE:
        return wanted
    found = list(islice(_beginning_with(client, beginning), CANDIDATES + 1))
    if len(found) > 1:
        raise UsageFault(_ambiguous(wanted, found))
    return found[0].build_id if found else wanted


def _beginning_with(client: ApiClient, beginning: str) -> Iterator[AuditEntry]:
    """Entries of builds' creation, newest first. Ids are ordered by time, so a whole page of older ones is the end."""
    seen: set[str] = set()
    for offset in range(0, 1_000_000_000, PAGE):
        page = client.audit_entries(AuditAction.BUILD_CREATED, PAGE, offset)
        fitting = {entry.build_id: entry for entry in page if entry.build_id.startswith(beginning)}
        yield from (entry for build_id, entry in fitting.items() if build_id not in seen)
        seen |= fitting.keys()
        if len(page) < PAGE or all(entry.build_id[: len(beginning)] < beginning for entry in page):
            return


def _ambiguous(wanted: str, found: list[AuditEntry]) -> str:
    now = datetime.now(UTC)
    lines = [f"  {entry.build_id}  {age(entry.created_at, now)}" for entry in found[:CANDIDATES]]
    more = ["  and more"] if len(found) > CANDIDATES else []
    return "\n".join(
        [f"{wanted!r} begins the ids of several builds; give more of the one that is meant:", *lines, *more]
    )
