"""Delivers an attempt's outcome, however long the server is away, and across the runner's own death.

The report is on disk before it is first sent, and the rest of its log goes first. Who starts a runner on the same work
folder again delivers what is left; the attempt's number makes a report that arrives twice, or too late, harmless.
"""

import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from worker.api import ApiClient, ApiError, Unreachable
from worker.failures import Failures
from worker.log_rest import send_rest
from worker.plain_file import plain_size
from worker.spool import Kept, Spool

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
WITH_GAP = "» the end of the log is missing: it did not reach the server in time\n"
"""What such a report adds to the log."""


FAILING_PATIENCE_S = 600.0
"""For a server that is there and fails at the report each time: a row that is spoilt must not keep a slot for ever."""


class Undelivered(ApiError):
    """An attempt has ended, and the server has not taken its result; the text says why, and where that is now."""


class Reporter:
    """One per runner; thread-safe. `stop` ends every wait: what is undelivered then stays on disk."""

    def __init__(self, client: ApiClient, work_dir: Path, stop: threading.Event) -> None:
        self._client, self._spool, self._stop = client, Spool(work_dir), stop

    def keep(self, step_id: str, report: Mapping[str, Any], log_path: Path | None = None, log_bytes: int = 0) -> Kept:
        """Have it on disk, for the next runner, should this one die before it comes to `deliver` it."""
        try:
            return self._spool.keep(step_id, report, log_path, log_bytes)
        except OSError as error:
            log.error("report cannot be kept on disk", step=step_id, error=str(error))
            return Kept(step_id, report, log_bytes=log_bytes)

    def deliver(self, kept: Kept) -> None:
        """Send the report until the server has taken it.

        Raises Undelivered where the server says no, or fails at it for too long, or where the runner was asked to end
        before an answer came.
        """
        failures = Failures(FAILING_PATIENCE_S)
        for pause_s in _pauses():
            try:
                return self._send(kept)
            except Unreachable as error:
                failures.note(error)
                if failures.last_too_long or self._stop.wait(pause_s):
                    raise _left(kept, error) from error
            except ApiError as error:
                raise Undelivered(f"the result was refused: {error}") from error
        raise AssertionError("the pauses have no end")

    def try_once(self, kept: Kept) -> None:
        """Send it; where the server does not answer it stays on disk, for the next runner here."""
        with suppress(ApiError):
            self._send(kept)

    def forget(self, kept: Kept) -> None:
        """It is of no use any more."""
        try:
            kept.remove()
        except OSError as error:
            log.warning("report cannot be removed; the next start sends it again", **_about(kept), error=str(error))

    def presume_lost(self, step_id: str, attempt: int, log_path: Path, most_bytes: int) -> None:
        """A runner died over the attempt: unless it came to a report of its own, the next may start at once.

        Nobody knows whose fault it was, so the attempt counts. What it had printed goes with the report.
        """
        if not self._spool.has(step_id, attempt):
            log.warning("attempt lost with an earlier runner here", step=step_id, attempt=attempt)
            report = {"status": "failed", "reason": "lost", "attempt": attempt}
            self.keep(step_id, report, log_path, min(plain_size(log_path), most_bytes))

    def deliver_left(self) -> threading.Thread:
        """Send what earlier runners left here until the server has answered; goes on beside the runner's work."""
        self._spool.tidy()
        left = list(self._spool.left())  # now: what is spooled from here on is its own runner's to deliver
        sender = threading.Thread(target=self._deliver_all, args=(left,), name="reports", daemon=True)
        sender.start()
        return sender

    def _deliver_all(self, left: list[Kept]) -> None:
        for pause_s in _pauses():
            left = [kept for kept in left if not self._is_settled(kept)]
            if not left or self._stop.wait(pause_s):
                return

    def _is_settled(self, kept: Kept) -> bool:
        """Send it once; whether the server has answered, be it with a no."""
        try:
            self._send(kept)
        except ApiError as error:
            return not isinstance(error, Unreachable)
        return True

    def _send(self, kept: Kept) -> None:
        """Send it once, and forget it when the server has answered. Only of a result somebody may want to know here."""
        tell = log.info if "key" in kept.report else log.warning
        try:
            line = {} if self._has_log(kept) else {"logs": WITH_GAP}
            self._client.complete(kept.step_id, {**kept.report, **line}, is_hasty=self._stop.is_set())
        except Unreachable as error:
            tell("report not delivered yet", **_about(kept), error=str(error))
            raise
        except ApiError as error:
            tell("report refused", **_about(kept), error=str(error))
            self.forget(kept)
            raise
        self.forget(kept)

    def _has_log(self, kept: Kept) -> bool:
        """Whether the server has the whole log now. A runner that was asked to end has no time to send more of it: then
        the outcome counts for more."""
        if not kept.log_bytes:
            return True
        if kept.log_path is None:
            return False
        about = (kept.step_id, kept.report["attempt"], kept.log_path, kept.log_bytes)
        return send_rest(self._client, *about, has_time=lambda: not self._stop.is_set())


def _left(kept: Kept, error: ApiError) -> Undelivered:
    where = "waits on disk for the next runner here" if kept.path else "is lost, as the disk did not take it either"
    return Undelivered(f"the result {where}: {error}")


def _about(kept: Kept) -> dict[str, Any]:
    return {"step": kept.step_id, "attempt": kept.report.get("attempt")}


def _pauses() -> Iterator[float]:
    """Seconds between tries, growing, and different for every runner that waits for the same server."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield random.uniform(pause_s / 2, pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
