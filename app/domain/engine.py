"""The engine: what becomes ready, skipped or finished when a step settles.

A step is *settled* once it is final. What its end means for others is its settlement, the worse of the dependencies'
winning; a step that waits keeps two things of what it waits for, how many are not settled yet and the worst
settlement so far, so that a settling step costs work for its own dependents and nothing else.

`advance` and `start` look at a Region: the waiting steps below the settled ones, as far as the caller loaded them.
Skipping spreads; where it reaches a step whose dependents were not loaded, the answer names it as unexplored,
and the caller loads the region below it and asks again.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.domain.transitions import BuildEvent
from app.domain.vocabulary import Reason, RunIf, StepStatus, Word


class Settlement(Word):
    """What a settled step means for the steps that depend on it, from good to bad."""

    PASSED = "passed", "it succeeded, or its failure is allowed"
    OMITTED = "omitted", "its condition did not hold, and nothing failed"
    FAILED = "failed", "it, or something before it, failed or was cancelled"


SEVERITY = {settlement: rank for rank, settlement in enumerate(Settlement)}


@dataclass(frozen=True)
class Waiting:
    """A PENDING step: how many dependencies are open, the worst settlement among the others, and its condition."""

    waiting_on: int
    worst: Settlement = Settlement.PASSED
    run_if: RunIf = RunIf.SUCCESS

    def after(self, settlement: Settlement) -> "Waiting":
        """This step with one more of its dependencies settled."""
        worst = max(self.worst, settlement, key=SEVERITY.__getitem__)
        return replace(self, waiting_on=self.waiting_on - 1, worst=worst)


@dataclass(frozen=True)
class Region:
    """Waiting steps by id, and for each step whose dependents are known, their ids (an empty list: it has none)."""

    waiting: Mapping[str, Waiting]
    dependents: Mapping[str, Sequence[str]]


@dataclass
class Advance:
    """What follows: steps that may run, steps skipped and why, steps that wait for less, and where to look further."""

    ready: list[str] = field(default_factory=list)
    skipped: dict[str, Reason] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    unexplored: dict[str, Settlement] = field(default_factory=dict)


def settlement_of(status: StepStatus, allow_failure: bool = False) -> Settlement:
    """What a run that ended in `status` means for its dependents; a skipped one is settled by `advance` itself."""
    if status is StepStatus.SUCCESS or (status is StepStatus.FAILED and allow_failure):
        return Settlement.PASSED
    return Settlement.FAILED


def start(region: Region) -> Advance:
    """What a new build begins with: the steps that wait for nothing, judged like any other."""
    free = [step_id for step_id, waiting in region.waiting.items() if waiting.waiting_on == 0]
    return _spread({}, free, region)


def advance(settled: Mapping[str, Settlement], region: Region) -> Advance:
    """What follows from steps having settled. Every dependent of theirs must be in the region.

    Pure and without recursion; the cost is that of the steps and edges it changes.
    """
    return _spread(settled, (), region)


def _spread(settled: Mapping[str, Settlement], free: Iterable[str], region: Region) -> Advance:
    outcome = Advance()
    now: dict[str, Waiting] = {}
    queue = deque(settled.items())
    for step_id in free:
        _judge(step_id, region.waiting[step_id], outcome, queue)
    while queue:
        step_id, settlement = queue.popleft()
        if step_id not in region.dependents:
            outcome.unexplored[step_id] = settlement
            continue
        for dependent in region.dependents[step_id]:
            now[dependent] = (now.get(dependent) or region.waiting[dependent]).after(settlement)
            if now[dependent].waiting_on == 0:
                _judge(dependent, now.pop(dependent), outcome, queue)
    outcome.waiting = now
    return outcome


def _judge(step_id: str, waiting: Waiting, outcome: Advance, queue: deque[tuple[str, Settlement]]) -> None:
    if may_run(waiting):
        outcome.ready.append(step_id)
        return
    failed = waiting.run_if is RunIf.SUCCESS and waiting.worst is Settlement.FAILED
    outcome.skipped[step_id] = Reason.DEPENDENCY if failed else Reason.CONDITION
    queue.append((step_id, Settlement.FAILED if failed else Settlement.OMITTED))


def may_run(waiting: Waiting) -> bool:
    """Whether a step that waits for nothing more may run, given how the steps it depends on ended."""
    if waiting.run_if is RunIf.ALWAYS:
        return True
    wanted = Settlement.PASSED if waiting.run_if is RunIf.SUCCESS else Settlement.FAILED
    return waiting.worst is wanted


def finish(status_reason: Reason | None) -> BuildEvent:
    """How a build with no open step ends: it fails when something recorded a reason on it, else it passes."""
    return BuildEvent.PASS if status_reason is None else BuildEvent.FAIL
