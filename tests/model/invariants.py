"""What must hold in every world and over every move. Each is a sentence of the promise; the checker names it."""

from app.domain.engine import Settlement, settlement_of
from app.domain.vocabulary import AttemptStatus, BuildStatus, Reason, RunIf, StepStatus
from tests.model.world import Doing, Plan, Step, World


def broken_by(plan: Plan, before: World, after: World) -> str | None:
    """Which promise a move breaks, if any."""
    return _first_broken(
        (_final_never_changes(before, after), "what is final never changes"),
        (_once(before, after), "an attempt's script starts at most once"),
        (_in_order(plan, before, after), "a script starts only when all it depends on is settled"),
    )


def broken_in(plan: Plan, world: World) -> str | None:
    """Which promise a world breaks, however it was reached."""
    return _first_broken(
        (_one_result(world), "a step run has at most one accepted result"),
        (_apart(world), "attempts of a step run do not overlap"),
        (_counted(plan, world), "a waiting step knows how much it waits for"),
        (_judged(plan, world), "a build is what its step runs make of it"),
    )


def _first_broken(*promises: tuple[bool, str]) -> str | None:
    return next((promise for holds, promise in promises if not holds), None)


def _final_never_changes(before: World, after: World) -> bool:
    steps = zip(before.steps, after.steps, strict=True)
    same_steps = all(a.status is b.status and a.reason is b.reason for a, b in steps if a.status.is_final)
    attempts = zip(before.steps, after.steps, strict=True)
    same_attempts = all(
        old == new
        for a, b in attempts
        for old, new in zip(a.attempts, b.attempts, strict=False)
        if old.status is not AttemptStatus.RUNNING
    )
    return same_steps and same_attempts and (not before.status.is_final or before.status is after.status)


def _one_result(world: World) -> bool:
    return all(_is_consistent(step) for step in world.steps)


def _is_consistent(step: Step) -> bool:
    """Attempts follow each other, each but the newest failed, and the newest one's end is the step run's."""
    older, newest = step.attempts[:-1], step.attempts[-1] if step.attempts else None
    numbered = [attempt.number for attempt in step.attempts] == list(range(1, len(step.attempts) + 1))
    failed = all(attempt.status is AttemptStatus.FAILED for attempt in older)
    if step.status in (StepStatus.SUCCESS, StepStatus.FAILED):
        return numbered and failed and newest is not None and newest.status == str(step.status)
    running = newest is not None and newest.status is AttemptStatus.RUNNING
    return numbered and failed and running is (step.status is StepStatus.RUNNING)


def _once(before: World, after: World) -> bool:
    """A runner that begins to execute is the first to do so with this attempt."""
    began = _executing(after) - _executing(before)
    return all(before.steps[step].attempt == number and not before.steps[step].begun for step, number in began)


def _apart(world: World) -> bool:
    steps = [runner.step for runner in world.runners if runner.doing is Doing.EXECUTING]
    return len(steps) == len(set(steps))


def _in_order(plan: Plan, before: World, after: World) -> bool:
    began = _executing(after) - _executing(before)
    return all(after.steps[needed].status.is_final for step, _ in began for needed in plan.depends_on[step])


def _executing(world: World) -> set[tuple[int, int]]:
    return {(runner.step, runner.attempt) for runner in world.runners if runner.doing is Doing.EXECUTING}


def _counted(plan: Plan, world: World) -> bool:
    open_steps = sum(not step.status.is_final for step in world.steps)
    return world.open_steps == open_steps and all(
        step.waiting_on == sum(not world.steps[needed].status.is_final for needed in plan.depends_on[index])
        for index, step in enumerate(world.steps)
        if step.status is StepStatus.PENDING
    )


def _judged(plan: Plan, world: World) -> bool:
    """By the meaning of the words, not by the engine: each step run's end follows from what it depends on."""
    meant: list[Settlement | None] = []
    for index, step in enumerate(world.steps):
        needed = [meant[other] for other in plan.depends_on[index]]
        if not all(needed):
            meant.append(None)
            if step.status is not StepStatus.PENDING:
                return False
            continue
        settled = [settlement for settlement in needed if settlement]
        expected = _skipped(plan.condition(index), settled)
        if world.planned and (step.status is StepStatus.SKIPPED) is not (expected is not None):
            return False
        if step.status is StepStatus.SKIPPED and step.reason is not expected:
            return False
        meant.append(_meaning(step, plan.may_fail(index)))
    return _build_is(plan, world)


def _skipped(condition: RunIf, settled: list[Settlement]) -> Reason | None:
    """Why a step run that waits for nothing more does not run; None where it runs."""
    failed, omitted = Settlement.FAILED in settled, Settlement.OMITTED in settled
    if condition is RunIf.ALWAYS or (condition is RunIf.FAILURE and failed):
        return None
    if condition is RunIf.SUCCESS and not failed and not omitted:
        return None
    return Reason.DEPENDENCY if condition is RunIf.SUCCESS and failed else Reason.CONDITION


def _meaning(step: Step, may_fail: bool) -> Settlement | None:
    if not step.status.is_final:
        return None
    if step.status is StepStatus.SKIPPED:
        return Settlement.FAILED if step.reason is Reason.DEPENDENCY else Settlement.OMITTED
    return settlement_of(step.status, may_fail)


def _build_is(plan: Plan, world: World) -> bool:
    if not all(step.status.is_final for step in world.steps):
        return not world.status.is_final
    failed = any(step.status is StepStatus.FAILED and not plan.may_fail(i) for i, step in enumerate(world.steps))
    return world.status is (BuildStatus.FAILED if failed else BuildStatus.SUCCESS)
