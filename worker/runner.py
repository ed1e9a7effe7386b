"""Runs one attempt of a step: claim, fetch, check out, execute, report.

Knows the REST contract and nothing else of the server. A runner is shared by the threads of its process.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import structlog

from config.logging import log_context
from config.settings import Settings
from worker.api import ApiClient, Claim
from worker.attempt import CHECKOUT, HANDED_BACK, RUN, Attempt, Ended, Outcome
from worker.claiming import Claiming
from worker.heartbeat import Heart, fence_at
from worker.keeper import ORPHAN_GRACE_S
from worker.lease import Halt, Lease
from worker.log_file import LogFile
from worker.log_stream import LogStream
from worker.marked import end_marked
from worker.process_executor import ProcessExecutor
from worker.removal import Remover
from worker.report import Reporter
from worker.rests import Rests
from worker.spool import Kept
from worker.workspace import Held, left_behind, workspace
from worker.zygote_client import ZygoteClient

log = structlog.get_logger(__name__)

BEATS_PER_LEASE = 4
"""At least: the server sets the lease, and a short one is fenced off by half."""
ORPHANS_GONE_S = ORPHAN_GRACE_S + 1.0
"""A dead runner's keepers end their processes within this, also those that carry no mark."""
SHUTDOWN_GRACE_S = 2.0
"""A runner that is asked to end gives its steps this long between SIGTERM and SIGKILL: it must be gone in 10 s."""


class Stopping(Exception):
    """This runner was asked to end, and takes nothing more."""

    def __init__(self) -> None:
        super().__init__("this runner was asked to end before it took the step")


class Runner:
    """One per process: its connections, its zygote, and the attempts it holds."""

    def __init__(self, settings: Settings, on_output: Callable[[bytes], None] | None = None) -> None:
        self._settings = settings
        self._client = ApiClient(settings.api_url, connections=2 * settings.runner_slots + 2)
        self._zygote = ZygoteClient()
        self._executor = ProcessExecutor(self._zygote)
        self._on_output = on_output
        self._stop_requests: SimpleQueue[None] = SimpleQueue()
        self._stopping = threading.Event()
        self._reporter = Reporter(self._client, settings.work_dir, self._stopping)
        self._claiming = Claiming(self._client, settings.runner_name, self._reporter, self._stopping)
        self._remover = Remover()
        self._rests = Rests()
        self._leases: set[Lease] = set()
        self._changed = threading.Lock()

    def start(self) -> None:
        """Deliver what an earlier process left behind, tidy up after it, and be ready for the first step."""
        threading.Thread(target=self._await_stop, name="stop", daemon=True).start()
        self._zygote.start()
        left = self._left_behind()
        self._reporter.deliver_left()
        self._remover.start(left)

    def stop(self) -> None:
        """End every running step and hand its attempt back; the calls of `run` return within a few seconds."""
        self._stopping.set()
        self._claiming.keep_open()
        self._remover.stop()
        with self._changed:
            for lease in tuple(self._leases):
                lease.halt(Halt.SHUTDOWN, SHUTDOWN_GRACE_S)

    def request_stop(self) -> None:
        """The same for a signal handler: it takes no lock, as the thread it interrupts may hold any of them."""
        self._stop_requests.put(None)  # of all queues this one may interrupt itself

    def close(self) -> None:
        """Let go of the zygote and of the last folders, when nothing runs any more."""
        self._zygote.close()
        self._remover.finish()

    def run(
        self, step_id: str, attempt: int | None = None, unheard: Callable[[], None] | None = None
    ) -> Outcome | None:
        """Run an attempt to its end and report it; None where there is nothing to report, for the server knows.

        Raises Stopping where this runner was asked to end before it asked; what `Claiming.claim` raises, which
        `unheard` is for; and what `Reporter.deliver` does about its report.
        """
        if self._stopping.is_set():
            raise Stopping
        claim, asked_at = self._claiming.claim(step_id, attempt, unheard)
        with log_context(build=claim.build_id, step=step_id, attempt=claim.attempt):
            log.info("attempt claimed")
            try:
                with self._held(claim, asked_at) as lease:
                    return self._attend(claim, lease)
            except OSError as error:  # there was no thread for heartbeats; what comes later is returned under them
                return self._return(claim, error)

    @property
    def pause_s(self) -> float:
        """How long this machine rests before it takes the next step."""
        return self._rests.pause_s

    def rest(self) -> None:
        """Whoever takes step after step waits here in between, for as long as this machine cannot run them."""
        self._stopping.wait(self.pause_s)

    def _left_behind(self) -> list[Path]:
        """The folders of dead runners. No process of their steps is left then, and their attempts count as lost."""
        try:
            left = left_behind(self._settings.work_dir)
        except OSError as error:
            log.error("the work folder cannot be tidied; the next start tries again", error=str(error))
            return []
        end_marked([each.mark for each in left])
        held_by_dead = [(each.held, each.log) for each in left if each.held]
        if held_by_dead:
            self._stopping.wait(ORPHANS_GONE_S)
        for held, log_path in held_by_dead:
            self._reporter.presume_lost(held.step_id, held.attempt, log_path, self._settings.log_limit_bytes)
        return [each.folder for each in left]

    def _await_stop(self) -> None:
        self._stop_requests.get()
        self.stop()

    def _attend(self, claim: Claim, lease: Lease) -> Outcome | None:
        """See the attempt through, from its folders to its report, which does not wait for the folders to go."""
        try:
            held = Held(claim.step_id, claim.attempt)
            with workspace(self._settings.work_dir, held, os.environ.get("PATH"), self._remover.take) as place:
                log_file = LogFile(place.log, self._settings.log_limit_bytes, self._on_output)
                with LogStream(self._client, claim, lease, log_file) as stream:
                    outcome = self._work(Attempt(self._client, self._executor, claim, lease, place, log_file))
                    lease.settle()
                    kept = self._keep(claim, outcome, place.log, log_file.size)
                self._rests.works()
                self._deliver(kept, stream.is_whole)
                return outcome
        except OSError as error:
            return self._return(claim, error)

    def _return(self, claim: Claim, error: OSError) -> Outcome:
        """Nothing of the attempt runs; the next one may start at once, and not here."""
        log.error("this machine cannot run the attempt; it goes back to the server", error=str(error))
        self._rests.fails()
        why = f"this runner's machine cannot run the step: {error.strerror}; it may be tried again"
        outcome = replace(HANDED_BACK, line=why)
        self._deliver(self._keep(claim, outcome))
        return outcome

    def _work(self, attempt: Attempt) -> Outcome | None:
        grace_s = self._settings.kill_grace_s
        try:
            programs = attempt.fetch()
            attempt.check_out(programs[CHECKOUT], grace_s)
            return attempt.execute(programs[RUN], grace_s)
        except Ended as ended:
            return ended.outcome

    def _keep(
        self, claim: Claim, outcome: Outcome | None, log_path: Path | None = None, log_bytes: int = 0
    ) -> Kept | None:
        """The outcome is known, and its log on its way: if this runner dies now, the step need not run again."""
        if outcome is None:
            log.info("attempt given up: the server has decided without us")
            return None
        event = "attempt handed back" if outcome.handed_back else "attempt ended"
        log.info(event, reason=outcome.reason, exit_code=outcome.exit_code)
        return self._reporter.keep(claim.step_id, outcome.report(claim.attempt), log_path, log_bytes)

    def _deliver(self, kept: Kept | None, has_log: bool = True) -> None:
        """Blocks until the server has the report, or raises as `Reporter.deliver`; `has_log`: it has all of the log."""
        if kept:
            self._reporter.deliver(replace(kept, log_bytes=0) if has_log else kept)

    @contextmanager
    def _held(self, claim: Claim, asked_at: float) -> Iterator[Lease]:
        """While inside, the lease is kept alive, and a runner that stops ends it."""
        settings = self._settings
        lease = Lease(fence_at(claim.lease_s, asked_at))
        with self._changed:
            self._leases.add(lease)
        if self._stopping.is_set():
            lease.halt(Halt.SHUTDOWN, SHUTDOWN_GRACE_S)
        heart = Heart(self._client, claim, settings.runner_name, lease, settings.kill_grace_s)
        try:
            with heart.beating(min(settings.heartbeat_s, claim.lease_s / BEATS_PER_LEASE)):
                yield lease
        finally:
            with self._changed:
                self._leases.discard(lease)
