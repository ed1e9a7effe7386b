"""A build as it must be after whatever was asked of it: no counters, no locks, no engine, and every rule said anew."""

from collections import Counter
from collections.abc import Mapping, Sequence

from app.domain.audit import AuditAction
from app.domain.vocabulary import AttemptStatus, BuildStatus, Reason, RunIf, StepStatus
from app.services.endings import Outcome
from app.services.leases import Claimant
from tests.integration.expected_step import Step, StepPlan, Try


class Expected:
    """The build, its steps by number, and what the audit log must have of each: None is the build itself.

    Each method is an act upon the build. It answers with the code of the refusal that must come, or with None where the
    act is allowed, and then the build here has changed as the rows must.
    """

    def __init__(self, plans: Sequence[StepPlan]) -> None:
        self.steps = [Step(plan) for plan in plans]
        self.planned = False
        self.reason: Reason | None = None
        self.audited: Counter[tuple[int | None, AuditAction]] = Counter({(None, AuditAction.BUILD_CREATED): 1})

    @property
    def status(self) -> BuildStatus:
        """A function of the steps and of nothing else."""
        if all(step.status.is_final for step in self.steps):
            failed = any(step.status is StepStatus.FAILED and not step.plan.allow_failure for step in self.steps)
            return BuildStatus.FAILED if failed else BuildStatus.SUCCESS
        return BuildStatus.RUNNING if any(step.tries for step in self.steps) else BuildStatus.PENDING

    def plan(self) -> None:
        self.planned = True
        self._spread()

    def send(self) -> set[int]:
        """The steps whose messages go out now."""
        unsent = {n for n, step in enumerate(self.steps) if step.status is StepStatus.READY and not step.is_sent}
        for number in unsent:
            self.steps[number].is_sent = True
        return unsent

    def claim(self, number: int, claimant: Claimant, attempt: int | None) -> str | None:
        step = self.steps[number]
        live, asked = step.live, step.attempt if attempt is None else attempt
        if live and claimant.key and asked == step.attempt and live.is_of(claimant):
            live.overdue.clear()
            return None
        refusal = self._refusal(step, asked) or ("already_claimed" if live else None)
        if refusal is None:
            self._take(number, claimant)
        return refusal

    def extend(self, number: int, runner: str, attempt: int) -> str | None:
        step = self.steps[number]
        if step.live is None or attempt != step.attempt or step.live.claimant.runner != runner:
            return "not_held"
        step.live.heartbeats = True
        step.live.overdue.discard(Reason.LOST)
        return None

    def append(self, number: int, attempt: int, offset: int, content: bytes) -> str | None:
        step = self.steps[number]
        if step.live is None or attempt != step.attempt:
            return "not_running"
        if offset <= len(step.live.log):
            step.live.log += content[len(step.live.log) - offset :]
        return None

    def complete(self, number: int, outcome: Outcome, attempt: int | None, log: bytes) -> str | None:
        step = self.steps[number]
        asked = step.attempt if attempt is None else attempt
        told = step.of(asked)
        if told is not None and told is not step.live:
            same = told.reason is outcome.reason and told.handed_back is outcome.handed_back
            exits_so = None in (outcome.exit_code, told.exit_code) or outcome.exit_code == told.exit_code
            return None if same and exits_so else "already_ended"
        if refusal := self._refusal(step, asked):
            return refusal
        if step.live is None:
            self._take(number, Claimant())
        step.tries[-1].log += log
        self._end(number, outcome, AuditAction.STEP_COMPLETED)
        return None

    def expire(self, number: int, attempt: int) -> str | None:
        step = self.steps[number]
        if step.of(attempt) is None:
            return "not_found"
        if step.live and attempt == step.attempt and step.live.overdue:
            self._end(number, Outcome(False, step.live.ends_for()), AuditAction.STEP_EXPIRED)
        return None

    def _refusal(self, step: Step, asked: int) -> str | None:
        if asked != step.attempt:
            return "stale_attempt"
        if step.status is StepStatus.PENDING:
            return "dependencies_open"
        return "already_final" if step.status.is_final else None

    def _take(self, number: int, claimant: Claimant) -> None:
        if self.status is BuildStatus.PENDING:
            self.audited[None, AuditAction.BUILD_STARTED] += 1
        self.audited[number, AuditAction.STEP_CLAIMED] += 1
        self.steps[number].status = StepStatus.RUNNING
        self.steps[number].tries.append(Try(claimant))

    def _end(self, number: int, outcome: Outcome, action: AuditAction) -> None:
        step = self.steps[number]
        ended = step.tries[-1]
        ended.status = AttemptStatus.SUCCESS if outcome.succeeded else AttemptStatus.FAILED
        ended.reason, ended.exit_code, ended.handed_back = outcome.reason, outcome.exit_code, outcome.handed_back
        self.audited[number, action] += 1
        if not outcome.succeeded and step.is_tried_again():
            step.status, step.is_sent = StepStatus.READY, False
            return
        step.status = StepStatus.SUCCESS if outcome.succeeded else StepStatus.FAILED
        step.reason = outcome.reason
        if step.means() == "failed" and self.reason is None:
            self.reason = outcome.reason
        self._spread()

    def _spread(self) -> None:
        """Judge every step that waits; each comes after those it needs."""
        for number, step in enumerate(self.steps):
            before = {self.steps[needed].means() for needed in step.plan.needs}
            if step.status is StepStatus.PENDING and "" not in before:
                self._judge(number, before)
        if self.status.is_final:
            self.audited[None, AuditAction.BUILD_FINISHED] = 1

    def _judge(self, number: int, before: set[str]) -> None:
        step = self.steps[number]
        runs: Mapping[RunIf, bool] = {
            RunIf.ALWAYS: True,
            RunIf.FAILURE: "failed" in before,
            RunIf.SUCCESS: before <= {"passed"},
        }
        if runs[step.plan.run_if]:
            step.status = StepStatus.READY
            self.audited[number, AuditAction.STEP_READY] += 1
            return
        because_failed = step.plan.run_if is RunIf.SUCCESS and "failed" in before
        step.status = StepStatus.SKIPPED
        step.reason = Reason.DEPENDENCY if because_failed else Reason.CONDITION
        self.audited[number, AuditAction.STEP_SKIPPED] += 1
