"""Every move from a world to the next: what one transaction, one runner or one fault does.

What is decided is decided by `app.domain`; what is written is written as the services write it. A move that is refused
leads nowhere, as nothing changes.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app.domain import rulings
from app.domain.engine import Advance, Region, Waiting, advance, finish, settlement_of, start
from app.domain.errors import Conflict
from app.domain.retry import RetryPolicy, Tally, event_after
from app.domain.transitions import BuildEvent, StepEvent, move, move_build
from app.domain.vocabulary import AttemptStatus, BuildStatus, Reason, StepStatus
from tests.model.world import Attempt, Doing, Plan, Runner, Step, World

ORCHESTRATORS = 2
RUNNERS = 2
POLICY = RetryPolicy()

Move = tuple[str, World]


def moves(plan: Plan, world: World) -> Iterator[Move]:
    """Where one can go from here, each with the name of the move."""
    if not world.planned:
        yield "plan", _plan(plan, world)
    yield from _send(world)
    yield from _sweep(plan, world)
    for place, runner in enumerate(world.runners):
        yield from _work(plan, world, place, runner)
    if len(world.runners) < RUNNERS:
        yield from _deliver(world)
    yield from _lapse(world)


def _plan(plan: Plan, world: World) -> World:
    region = _region(plan, world)
    return _apply(replace(world, planned=True), start(region))


def _send(world: World) -> Iterator[Move]:
    """An orchestrator, or the sweep of one, publishes a ready step's message; whether it arrives is another matter."""
    for index, step in enumerate(world.steps):
        if step.status is StepStatus.READY and not step.sent:
            yield f"send {index}", world.with_step(index, replace(step, sent=True))


def _deliver(world: World) -> Iterator[Move]:
    """A runner takes a message and asks for its attempt; the message may come again."""
    for index, step in enumerate(world.steps):
        if step.sent:
            yield f"deliver {index}", _with_runners(world, (*world.runners, Runner(Doing.ASKING, index, step.attempt)))


def _work(plan: Plan, world: World, place: int, runner: Runner) -> Iterator[Move]:
    """What a runner does next, or what befalls it."""
    if runner.doing is Doing.ASKING:
        yield from _ask(world, place, runner)
    elif runner.doing is Doing.EXECUTING:
        yield from _execute(world, place, runner)
    else:
        yield from _report(plan, world, place, runner)
    if world.losses:
        yield f"crash {runner.step}", replace(_without(world, place), losses=world.losses - 1)


def _ask(world: World, place: int, runner: Runner) -> Iterator[Move]:
    """The claim reaches the server. Its answer is heard, or lost: then the runner asks again under the same key."""
    try:
        claimed = _claim(world, runner)
    except Conflict:
        yield f"claim {runner.step}, refused", _without(world, place)
        return
    yield f"claim {runner.step}, unheard", _replaced(claimed, place, replace(runner, unheard=True))
    step = replace(_with_live(claimed.steps[runner.step], unheard=False), begun=True)
    begun = replace(runner, doing=Doing.EXECUTING, unheard=False)
    yield f"claim {runner.step}", _replaced(claimed.with_step(runner.step, step), place, begun)


def _claim(world: World, runner: Runner) -> World:
    step = world.steps[runner.step]
    if step.live and step.live.unheard and runner.unheard and runner.attempt == step.attempt:
        return world.with_step(runner.step, _with_live(step, overdue=False))
    rulings.allow_claim(step, runner.attempt)
    return _take(world, runner.step)


def _take(world: World, index: int) -> World:
    step = world.steps[index]
    taken = (*step.attempts, Attempt(step.attempt, AttemptStatus.RUNNING, unheard=True))
    world = world.with_step(index, replace(step, status=move(step.status, StepEvent.CLAIM), attempts=taken))
    if world.status is BuildStatus.PENDING:
        world = replace(world, status=move_build(world.status, BuildEvent.START))
    return world


def _execute(world: World, place: int, runner: Runner) -> Iterator[Move]:
    """The script ends one way or the other, or the runner ends it: it stops, or cannot reach the server in time."""
    for reason in (None, Reason.EXIT):
        ended = replace(runner, doing=Doing.REPORTING, reason=reason)
        yield f"script ends {runner.step}", _replaced(world, place, ended)
    if world.losses:
        given = replace(runner, doing=Doing.REPORTING, reason=Reason.LOST, handed_back=True)
        yield f"hand back {runner.step}", replace(_replaced(world, place, given), losses=world.losses - 1)
    step = world.steps[runner.step]
    if step.live and step.live.overdue and step.live.number == runner.attempt:
        yield f"heartbeat {runner.step}", world.with_step(runner.step, _with_live(step, overdue=False))


def _report(plan: Plan, world: World, place: int, runner: Runner) -> Iterator[Move]:
    """The report reaches the server. The answer is heard, or lost: then the runner reports again."""
    try:
        reported = _complete(plan, world, runner)
    except Conflict:
        yield f"report {runner.step}, refused", _without(world, place)
        return
    if reported != world:
        yield f"report {runner.step}, unheard", reported
    yield f"report {runner.step}", _without(reported, place)


def _complete(plan: Plan, world: World, runner: Runner) -> World:
    step = world.steps[runner.step]
    of_number = [attempt for attempt in step.attempts if attempt.number == runner.attempt]
    if of_number and of_number[0].status is not AttemptStatus.RUNNING:
        rulings.allow_repetition(of_number[0], runner)
        return world
    rulings.allow_report(step, runner.attempt)
    if not of_number:
        world = _take(world, runner.step)
    return _end(plan, world, runner.step, runner.reason, runner.handed_back)


def _lapse(world: World) -> Iterator[Move]:
    """Time goes by: a lease runs out, but never that of an attempt whose script runs; its runner sees to that."""
    for index, step in enumerate(world.steps):
        if step.live and not step.live.overdue:
            holders = [
                runner.doing for runner in world.runners if (runner.step, runner.attempt) == (index, step.attempt)
            ]
            if Doing.EXECUTING not in holders and (world.losses or not holders):
                late = world.with_step(index, _with_live(step, overdue=True))
                yield f"lapse {index}", replace(late, losses=world.losses - bool(holders))


def _sweep(plan: Plan, world: World) -> Iterator[Move]:
    """An orchestrator reads what is overdue, and ends it some time later, if it still is. It may die in between."""
    if len(world.swept) < ORCHESTRATORS:
        for index, step in enumerate(world.steps):
            if step.live and step.live.overdue:
                yield f"read {index}", _with_swept(world, (*world.swept, (index, step.attempt)))
    for place, (index, number) in enumerate(world.swept):
        rest = _with_swept(world, (*world.swept[:place], *world.swept[place + 1 :]))
        yield f"forget {index}", rest
        live = world.steps[index].live
        if live and live.number == number and live.overdue:
            yield f"expire {index}", _end(plan, rest, index, Reason.LOST, False)


def _end(plan: Plan, world: World, index: int, reason: Reason | None, handed_back: bool) -> World:
    """The end of a live attempt, whoever says so: as `app.services.endings.end` writes it."""
    step = world.steps[index]
    status = AttemptStatus.FAILED if reason else AttemptStatus.SUCCESS
    attempts = _with_live(
        step, status=status, reason=reason, handed_back=handed_back, overdue=False, unheard=False
    ).attempts
    event = event_after(reason, POLICY, Tally.of((attempt.reason, attempt.handed_back) for attempt in attempts))
    after = move(step.status, event)
    if event is StepEvent.RETRY:
        ended = replace(step, status=after, attempts=attempts, attempt=step.attempt + 1, sent=False, begun=False)
        return _with_swept(world.with_step(index, ended), world.swept)
    world = world.with_step(
        index, replace(step, status=after, attempts=attempts, reason=reason, sent=False, begun=False)
    )
    settlement = settlement_of(after, plan.may_fail(index))
    fails = None if after is StepStatus.SUCCESS or plan.may_fail(index) else reason
    world = replace(world, open_steps=world.open_steps - 1, reason=world.reason or fails)
    world = _with_swept(world, world.swept)
    return _apply(world, advance({str(index): settlement}, _region(plan, world)))


def _region(plan: Plan, world: World) -> Region:
    waiting = {
        step.name: Waiting(step.waiting_on, step.worst, plan.condition(index))
        for index, step in enumerate(world.steps)
        if step.status is StepStatus.PENDING
    }
    dependents = {
        str(index): [str(other) for other, needed in enumerate(plan.depends_on) if index in needed]
        for index in range(len(plan.depends_on))
    }
    return Region(waiting, dependents)


def _apply(world: World, outcome: Advance) -> World:
    """As `app.services.progress` writes it."""
    for name, state in outcome.waiting.items():
        world = _change(world, name, waiting_on=state.waiting_on, worst=state.worst)
    for name in outcome.ready:
        world = _change(world, name, StepEvent.RELEASE, waiting_on=0)
    for name, reason in outcome.skipped.items():
        world = _change(world, name, StepEvent.SKIP, waiting_on=0, reason=reason)
    world = replace(world, open_steps=world.open_steps - len(outcome.skipped))
    if world.open_steps == 0:
        world = replace(world, status=move_build(world.status, finish(world.reason)))
    return world


def _change(world: World, name: str, event: StepEvent | None = None, **values: Any) -> World:
    step = world.steps[int(name)]
    status = move(step.status, event) if event else step.status
    return world.with_step(int(name), replace(step, status=status, **values))


def _with_live(step: Step, **values: Any) -> Step:
    """The step with other values in the row of its running attempt."""
    return replace(step, attempts=(*step.attempts[:-1], replace(step.attempts[-1], **values)))


def _with_runners(world: World, runners: tuple[Runner, ...]) -> World:
    return replace(world, runners=tuple(sorted(runners, key=repr)))


def _replaced(world: World, place: int, runner: Runner) -> World:
    return _with_runners(world, (*world.runners[:place], runner, *world.runners[place + 1 :]))


def _without(world: World, place: int) -> World:
    """The runner is gone, and its key with it."""
    gone = world.runners[place]
    step = world.steps[gone.step]
    if gone.unheard and step.live and step.live.number == gone.attempt:
        world = world.with_step(gone.step, _with_live(step, unheard=False))
    return _with_runners(world, (*world.runners[:place], *world.runners[place + 1 :]))


def _with_swept(world: World, swept: tuple[tuple[int, int], ...]) -> World:
    """What was read about attempts that are over leads to nothing, and is not kept."""
    swept = tuple(seen for seen in swept if (live := world.steps[seen[0]].live) and live.number == seen[1])
    return replace(world, swept=tuple(sorted(swept)))
