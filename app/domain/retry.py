"""When a failed attempt is followed by another."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from app.domain.transitions import StepEvent
from app.domain.vocabulary import Reason

LOST_ATTEMPTS = 3
"""In all, for a step whose runner is lost: the first runner may be broken, three are the step's fault."""

HANDED_BACK_ATTEMPTS = 100
"""Runners that stop say so, and a step is not to blame for it: only a machine that takes and returns it for ever is."""

LOST_PAUSE_S = 15.0
"""Before the attempt after a second loss. After the first the next one is ready at once, as a runner may break; two are
a step that kills its runners, or a machine that restarts, and there is time for the others, or for the machine."""

RETRYABLE = frozenset({Reason.EXIT, Reason.TIMEOUT, Reason.LOST})
"""What a policy may name: another attempt at a wrong configuration would meet the same one."""


@dataclass(frozen=True)
class RetryPolicy:
    """For the named reasons: at most `limit` further attempts after lost runners, and as many after all else."""

    limit: int = 0
    reasons: frozenset[Reason] = RETRYABLE


@dataclass(frozen=True)
class Tally:
    """How a step's failed attempts ended so far: with their runner, otherwise, or given back by a runner that stops.

    The first two are counted apart, as a script that fails is no reason to try less often to find it a runner that
    lasts, nor the other way round.
    """

    lost: int = 0
    failed: int = 0
    handed_back: int = 0

    @classmethod
    def of(cls, ends: Iterable[tuple[Reason | None, bool]]) -> Self:
        """Of attempts' reasons, each with whether it was handed back; those without a reason count for nothing."""
        kinds = Counter("handed_back" if back else _kind(reason) for reason, back in ends if reason)
        return cls(**kinds)


def _kind(reason: Reason) -> str:
    return "lost" if reason is Reason.LOST else "failed"


def may_retry(reason: Reason, policy: RetryPolicy, tally: Tally) -> bool:
    """Whether an attempt that failed for `reason` is followed by another one; the tally has this one, too.

    What was handed back counts for nothing here but against a limit of its own.
    """
    allowed = 1 + policy.limit if reason in policy.reasons else 1
    if reason is Reason.LOST:
        return tally.lost < max(allowed, LOST_ATTEMPTS) and tally.handed_back < HANDED_BACK_ATTEMPTS
    return tally.failed < allowed


def event_after(reason: Reason | None, policy: RetryPolicy, tally: Tally) -> StepEvent:
    """What the end of an attempt is to its step run; without a reason the attempt succeeded."""
    if reason is None:
        return StepEvent.SUCCEED
    return StepEvent.RETRY if may_retry(reason, policy, tally) else StepEvent.FAIL


def pause_s(reason: Reason | None, tally: Tally) -> float:
    """How long the attempt that follows one which failed for `reason` waits before it is ready for a runner.

    `reason` is None for one that was handed back, as nothing is wrong with its step.
    """
    return LOST_PAUSE_S if reason is Reason.LOST and tally.lost >= LOST_ATTEMPTS - 1 else 0.0
