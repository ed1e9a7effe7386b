"""One claimed attempt at work: fetch, check out, execute. What comes before and after is the runner's."""

import shutil
from dataclasses import dataclass, field
from typing import Any, NoReturn

from worker.api import ApiClient, ApiError, Claim, Unreachable
from worker.clock import clock
from worker.keeper import Order
from worker.lease import Halt, Lease
from worker.log_file import LogFile
from worker.process_executor import SIGNALLED, Cause, Ending, ProcessExecutor
from worker.workspace import Workspace

BASH = shutil.which("bash") or "/bin/bash"
CHECKOUT, RUN = "checkout", "run"
FETCH_PAUSE_S = 1.0


@dataclass(frozen=True)
class Outcome:
    """How an attempt went; without a reason it succeeded.

    `handed_back`: lost, and not through the step. `line` is for the log, where there is no other way there.
    """

    reason: str | None = None
    exit_code: int | None = None
    handed_back: bool = False
    line: str | None = field(default=None, compare=False)

    def report(self, attempt: int | None) -> dict[str, Any]:
        """The body of the contract's completion; without a number it is about the current attempt."""
        known = {
            "attempt": attempt,
            "reason": self.reason,
            "exitCode": self.exit_code,
            "handedBack": self.handed_back or None,
            "logs": f"» {self.line}\n" if self.line else None,
        }
        status = "failed" if self.reason else "success"
        return {
            "status": status,
            **{key: value for key, value in known.items() if value is not None},
        }


HANDED_BACK = Outcome("lost", handed_back=True)


class Ended(Exception):
    """A stage ended the attempt. Without an outcome there is nothing to report: the server has decided already."""

    def __init__(self, outcome: Outcome | None) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Attempt:
    """The stages that happen in the attempt's own folders. Each returns if the next may follow, else raises Ended."""

    def __init__(
        self, client: ApiClient, executor: ProcessExecutor, claim: Claim, lease: Lease, place: Workspace, log: LogFile
    ) -> None:
        self._client, self._executor, self._claim, self._lease = client, executor, claim, lease
        self._place, self._log = place, log
        self._limit_at = clock() + claim.timeout_s

    def fetch(self) -> dict[str, bytes]:
        """The bash programs of the step's parts, waited for as long as the attempt is ours."""
        return {part: self._program(part) for part in (CHECKOUT, RUN)}

    def check_out(self, program: bytes, grace_s: float) -> None:
        """Fill the workspace. What the step asks for cannot be had where this fails: the reason is `config`.

        Unless a signal ended it: that came from outside, say from a kernel without memory, and may not come again.
        """
        match self._execute(program, grace_s):
            case Ending(Cause.ITSELF, int(status)) if status > SIGNALLED:
                self._end(
                    f"the checkout was ended by signal {status - SIGNALLED}; it may be tried again", Outcome("lost")
                )
            case ending:
                self._judge(ending, "the checkout", "config")

    def execute(self, program: bytes, grace_s: float) -> Outcome:
        """Run the step's script, and look for its outputs."""
        self._judge(self._execute(program, grace_s), "the step", "exit")
        return Outcome(exit_code=0)

    def _program(self, part: str) -> bytes:
        while True:
            try:
                return self._client.program(self._claim.step_id, part)
            except Unreachable:
                if self._lease.wait(FETCH_PAUSE_S):
                    self._end_halted()
            except ApiError as error:
                self._log.say(f"the step's program cannot be had: {error}")
                raise Ended(Outcome("config")) from error

    def _execute(self, program: bytes, grace_s: float) -> Ending:
        self._place.program.write_bytes(program)
        order = Order(
            argv=[BASH, str(self._place.program)],
            cwd=str(self._place.folder),
            environ=dict(self._place.environ),
            mark=self._place.mark,
            limit_at=self._limit_at,
            grace_s=grace_s,
        )
        return self._executor.execute(order, self._lease, self._log.write)

    def _judge(self, ending: Ending, what: str, reason: str) -> None:
        match ending:
            case Ending(Cause.ITSELF, 0):
                return
            case Ending(Cause.ITSELF, status):
                self._end(f"{what} ended with exit status {status}", Outcome(reason, status))
            case Ending(Cause.TIMEOUT):
                limit = f"{self._claim.timeout_s:g} s"
                self._end(f"the step was stopped: its time limit of {limit} is over", Outcome("timeout"))
            case Ending(Cause.HALT):
                self._end_halted()
            case _:
                self._end("the step's processes were killed from outside; it may be tried again", Outcome("lost"))

    def _end(self, line: str, outcome: Outcome) -> NoReturn:
        self._log.say(line)
        raise Ended(outcome)

    def _end_halted(self) -> NoReturn:
        match self._lease.halted:
            case Halt.SHUTDOWN:
                self._end("the step was stopped: its runner shuts down; it may be tried again", HANDED_BACK)
            case Halt.EXPIRED:
                self._end("the step was stopped: its runner could not reach the server in time", HANDED_BACK)
            case _:
                raise Ended(None)
