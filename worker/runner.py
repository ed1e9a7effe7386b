"""Runs one attempt of a step: claim, fetch, check out, execute, report.

Knows the REST contract and nothing else of the server. A runner is shared by the threads of its process.
"""

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog

from config.settings import Settings
from worker.api import ApiClient, NotFound, Refused, Unreachable
from worker.clock import clock
from worker.heartbeat import fence_after, heartbeats
from worker.keeper import Order
from worker.lease import Halt, Lease
from worker.log_stream import LogStream
from worker.process_executor import Cause, Ending, ProcessExecutor
from worker.report import deliver, deliver_spooled
from worker.workspace import PATH, Workspace, workspace
from worker.zygote_client import ZygoteClient

log = structlog.get_logger(__name__)

BASH = shutil.which("bash") or "/bin/bash"
CLAIM_TRIES = 5
CLAIM_PAUSE_S = 0.5
"""An API that restarts is back within these tries; after them the message is dropped, and the sweep sends another."""
SHUTDOWN_GRACE_S = 2.0
"""A runner that is asked to end gives its steps this long between SIGTERM and SIGKILL: it must be gone in 10 s."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt went; without a reason it succeeded."""

    reason: str | None = None
    exit_code: int | None = None

    def report(self, attempt: int) -> dict[str, Any]:
        known = {"reason": self.reason, "exitCode": self.exit_code}
        status = "failed" if self.reason else "success"
        return {
            "status": status,
            "attempt": attempt,
            **{key: value for key, value in known.items() if value is not None},
        }


class Runner:
    """One per process: its connections, its zygote, and the attempts it holds."""

    def __init__(self, settings: Settings, on_output: Callable[[bytes], None] | None = None) -> None:
        self._settings = settings
        self._client = ApiClient(settings.api_url, connections=2 * settings.runner_slots + 2)
        self._zygote = ZygoteClient()
        self._executor = ProcessExecutor(self._zygote)
        self._on_output = on_output
        self._stopping = threading.Event()
        self._leases: set[Lease] = set()
        self._changed = threading.Lock()

    def start(self) -> None:
        """Deliver what an earlier process left behind, and be ready for the first step."""
        self._zygote.start()
        deliver_spooled(self._client, self._settings.work_dir)

    def stop(self) -> None:
        """End every running step and hand its attempt back; the calls of `run` return within a few seconds."""
        self._stopping.set()
        with self._changed:
            for lease in self._leases:
                lease.halt(Halt.SHUTDOWN, SHUTDOWN_GRACE_S)

    def run(self, step_id: str, attempt: int | None = None) -> Outcome | None:
        """Run an attempt to its end and report it; None where there is nothing to report, for the server knows.

        Raises Refused or NotFound where it cannot be claimed, Unreachable where the server does not answer.
        """
        if self._stopping.is_set():
            return None
        claim = self._claim(step_id, attempt)
        number = claim["attempt"]
        log.info("attempt claimed", step=step_id, attempt=number, build=claim["buildId"])
        lease = Lease(fence_after(claim["leaseSeconds"]))
        outcome = self._hold(step_id, number, claim["timeoutSeconds"], lease)
        if outcome is not None:
            deliver(self._client, self._settings.work_dir, step_id, outcome.report(number), self._stopping)
        return outcome

    def _claim(self, step_id: str, attempt: int | None) -> dict[str, Any]:
        """Claim under one key, again where the answer may have been lost on its way."""
        key = uuid4().hex
        for left in range(CLAIM_TRIES - 1, -1, -1):
            try:
                return self._client.claim(step_id, self._settings.runner_name, attempt, key)
            except Unreachable:
                if not left or self._stopping.wait(CLAIM_PAUSE_S):
                    raise
        raise AssertionError("the last try returns or raises")

    def _hold(self, step_id: str, attempt: int, timeout_s: float, lease: Lease) -> Outcome | None:
        """Work while the lease is kept alive."""
        settings = self._settings
        with self._changed:
            self._leases.add(lease)
        if self._stopping.is_set():
            lease.halt(Halt.SHUTDOWN, SHUTDOWN_GRACE_S)
        beats = heartbeats(
            self._client, step_id, settings.runner_name, attempt, lease, settings.heartbeat_s, settings.kill_grace_s
        )
        try:
            with (
                beats,
                workspace(settings.work_dir, os.environ.get("PATH", PATH)) as place,
                LogStream(self._client, step_id, attempt, place.log, settings.log_limit_bytes) as stream,
            ):
                return self._work(step_id, place, lease, stream, clock() + timeout_s)
        finally:
            with self._changed:
                self._leases.discard(lease)

    def _work(self, step_id: str, place: Workspace, lease: Lease, stream: LogStream, limit_at: float) -> Outcome | None:
        """Check out, then run the script; the first that does not succeed decides."""
        try:
            programs = [(part, self._client.program(step_id, part)) for part in ("checkout", "run")]
        except (Refused, NotFound) as error:
            stream.say(f"the step's program cannot be had: {error}")
            return Outcome("config")
        for part, program in programs:
            ending = self._execute(program, place, lease, stream, limit_at)
            if ending != Ending(Cause.ITSELF, 0):
                return self._failure(part, ending, lease, stream)
        return Outcome(exit_code=0)

    def _execute(self, program: bytes, place: Workspace, lease: Lease, stream: LogStream, limit_at: float) -> Ending:
        script = place.log.with_name("program")
        script.write_bytes(program)
        order = Order(
            argv=[BASH, str(script)],
            cwd=str(place.folder),
            environ=dict(place.environ),
            limit_at=limit_at,
            grace_s=self._settings.kill_grace_s,
        )

        def take(content: bytes) -> None:
            stream.write(content)
            if self._on_output:
                self._on_output(content)

        return self._executor.execute(order, lease, take)

    def _failure(self, part: str, ending: Ending, lease: Lease, stream: LogStream) -> Outcome | None:
        match ending.cause:
            case Cause.ITSELF:
                stream.say(f"the {part} ended with exit status {ending.exit_code}")
                return Outcome("config" if part == "checkout" else "exit", ending.exit_code)
            case Cause.TIMEOUT:
                stream.say("the step's time limit is over; it was stopped")
                return Outcome("timeout")
            case Cause.HALT if lease.halted is Halt.SHUTDOWN:
                stream.say("the runner is shutting down; the attempt goes back to the server")
                return Outcome("lost")
            case Cause.HALT:
                return None
            case _:
                stream.say("the processes of the step were lost; the attempt goes back to the server")
                return Outcome("lost")
