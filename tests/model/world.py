"""The world that is explored: everything that decides what can happen next, as one value that can be compared.

Rows are as the database has them between two transactions, so what one transaction does is one move. A message stays
where it is once it was sent: it may be delivered never, once, or as often as one likes. The two orchestrators and the
two runners are alike, so worlds that differ only in who is who are the same world.
"""

from dataclasses import dataclass, replace
from enum import Enum

from app.domain.engine import Settlement
from app.domain.vocabulary import AttemptStatus, BuildStatus, Reason, RunIf, StepStatus


@dataclass(frozen=True)
class Plan:
    """A build's graph: for each step what it depends on, its condition, and whether it may fail."""

    depends_on: tuple[tuple[int, ...], ...]
    run_if: tuple[RunIf, ...] = ()
    allow_failure: tuple[bool, ...] = ()

    def condition(self, step: int) -> RunIf:
        return self.run_if[step] if self.run_if else RunIf.SUCCESS

    def may_fail(self, step: int) -> bool:
        return bool(self.allow_failure) and self.allow_failure[step]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt's row. `unheard`: the claim that got it has not heard so; `overdue`: its lease has run out."""

    number: int
    status: AttemptStatus
    unheard: bool = False
    reason: Reason | None = None
    handed_back: bool = False
    overdue: bool = False

    @property
    def exit_code(self) -> int | None:
        """No world is told apart by it."""
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """A step run's row with its attempts, and whether a message for the current attempt was sent.

    `begun` is no row: it says whether a runner has started the current attempt's script, for the invariants.
    """

    name: str
    status: StepStatus
    waiting_on: int
    worst: Settlement = Settlement.PASSED
    attempt: int = 1
    reason: Reason | None = None
    attempts: tuple[Attempt, ...] = ()
    sent: bool = False
    begun: bool = False

    @property
    def runner(self) -> str:
        return "a runner"

    @property
    def live(self) -> Attempt | None:
        newest = self.attempts[-1] if self.attempts else None
        return newest if newest and newest.status is AttemptStatus.RUNNING else None


class Doing(Enum):
    """How far a runner is with an attempt."""

    ASKING = 1
    EXECUTING = 2
    REPORTING = 3


@dataclass(frozen=True, slots=True)
class Runner:
    """A runner at work. `unheard`: its claim was taken, and it does not know; `reason`: what it reports, None: success.

    So the claim of such a runner, made again, has the key of the row that is `unheard`, and no other has.
    """

    doing: Doing
    step: int
    attempt: int
    unheard: bool = False
    reason: Reason | None = None
    handed_back: bool = False

    @property
    def exit_code(self) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class World:
    """`swept` has what each orchestrator, in the middle of a sweep, has read as overdue. `losses` are still to come."""

    status: BuildStatus
    planned: bool
    open_steps: int
    reason: Reason | None
    steps: tuple[Step, ...]
    runners: tuple[Runner, ...] = ()
    swept: tuple[tuple[int, int], ...] = ()
    losses: int = 0

    def with_step(self, index: int, step: Step) -> "World":
        return replace(self, steps=(*self.steps[:index], step, *self.steps[index + 1 :]))


def beginning(plan: Plan, losses: int) -> World:
    """A build that was just posted: its rows are there, and nobody has looked at them yet."""
    steps = tuple(Step(str(i), StepStatus.PENDING, len(needed)) for i, needed in enumerate(plan.depends_on))
    return World(BuildStatus.PENDING, False, len(steps), None, steps, losses=losses)
