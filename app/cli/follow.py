"""Follows a build to its end by asking for it again and again, through pauses of the server too."""

import time
from datetime import UTC, datetime
from http import HTTPStatus

from app.cli.answers import Build
from app.cli.client import ApiClient
from app.cli.errors import Refused, ServerUnreachable
from app.cli.progress import Progress

FIRST_INTERVAL_S = 0.15
LONGEST_INTERVAL_S = 1.0
SLOWING = 1.05  # a build of a few seconds is watched closely, one of an hour once a second
PATIENCE_S = 60.0  # a server that is being restarted answers again well within this


def follow(client: ApiClient, build_id: str, progress: Progress) -> Build:
    """Show the build until it is final, and return it. A server that is away for long raises what it raised."""
    interval_s = FIRST_INTERVAL_S
    with progress:
        while True:
            build = _ask_patiently(client, build_id, progress)
            progress.show(build, datetime.now(UTC))
            if build.final:
                return build
            time.sleep(interval_s)
            interval_s = min(LONGEST_INTERVAL_S, interval_s * SLOWING)


def _ask_patiently(client: ApiClient, build_id: str, progress: Progress) -> Build:
    give_up_at = None
    while True:
        try:
            return client.build(build_id)
        except (ServerUnreachable, Refused) as error:
            if isinstance(error, Refused) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            if give_up_at is None:
                give_up_at = time.monotonic() + PATIENCE_S
                progress.note(f"the server does not answer; trying for {PATIENCE_S:.0f} s more")
            elif time.monotonic() > give_up_at:
                raise
            time.sleep(LONGEST_INTERVAL_S)
