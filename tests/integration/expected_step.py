"""A step run and its attempts as they must be, for `expected.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.vocabulary import AttemptStatus, Reason, RunIf, StepStatus
from app.services.leases import Claimant

RAN = (StepStatus.RUNNING, StepStatus.SUCCESS, StepStatus.FAILED)
LOST_AT_MOST = 3


@dataclass(frozen=True)
class StepPlan:
    """What a workflow says of a step; `needs` are numbers of steps before it."""

    needs: Sequence[int]
    run_if: RunIf = RunIf.SUCCESS
    allow_failure: bool = False
    retries: int = 0

    def fields(self) -> dict[str, object]:
        retries = {"limit": self.retries, "reasons": ["exit", "timeout"]}
        return {"runIf": self.run_if, "allowFailure": self.allow_failure, "retries": retries}


@dataclass
class Try:
    """An attempt, and what was printed; `overdue` is why a sweep would end it."""

    claimant: Claimant
    status: AttemptStatus = AttemptStatus.RUNNING
    reason: Reason | None = None
    exit_code: int | None = None
    handed_back: bool = False
    log: bytes = b""
    overdue: set[Reason] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.heartbeats = self.claimant.heartbeats

    def ends_for(self) -> Reason:
        """Why a sweep ends it: a runner that is not heard of any more may have died within the time limit."""
        first = Reason.LOST if self.heartbeats else Reason.TIMEOUT
        return first if first in self.overdue else next(iter(self.overdue))

    def is_of(self, claimant: Claimant) -> bool:
        return (self.claimant.runner, self.claimant.key) == (claimant.runner, claimant.key)


@dataclass
class Step:
    """A step run, its attempts oldest first."""

    plan: StepPlan
    status: StepStatus = StepStatus.PENDING
    reason: Reason | None = None
    tries: list[Try] = field(default_factory=list)
    is_sent: bool = False

    @property
    def attempt(self) -> int:
        """The number of the attempt that runs or may start next."""
        return len(self.tries) + (self.status not in RAN)

    @property
    def live(self) -> Try | None:
        return self.tries[-1] if self.status is StepStatus.RUNNING else None

    def of(self, number: int) -> Try | None:
        return self.tries[number - 1] if number <= len(self.tries) else None

    def means(self) -> str:
        """What its end is to the steps that depend on it; nothing while it is open."""
        if not self.status.is_final:
            return ""
        if self.status is StepStatus.SKIPPED:
            return "failed" if self.reason is Reason.DEPENDENCY else "omitted"
        return "passed" if self.status is StepStatus.SUCCESS or self.plan.allow_failure else "failed"

    def is_tried_again(self) -> bool:
        """After a failure. An attempt that was handed back does not count; the others that were lost are counted apart
        from the rest."""
        reason = self.tries[-1].reason
        counted = [each.reason is Reason.LOST for each in self.tries if not each.handed_back]
        if reason is Reason.LOST:
            return counted.count(True) < LOST_AT_MOST
        return counted.count(False) <= (self.plan.retries if reason in (Reason.EXIT, Reason.TIMEOUT) else 0)
