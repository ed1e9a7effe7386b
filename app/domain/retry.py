"""When a failed attempt is followed by another."""

from dataclasses import dataclass

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
    """At most `limit` further attempts after the first, for failures of the named reasons."""

    limit: int = 0
    reasons: frozenset[Reason] = RETRYABLE


def may_retry(attempt: int, reason: Reason, policy: RetryPolicy, handed_back: int = 0) -> bool:
    """Whether attempt number `attempt` (from 1), failed for `reason`, is followed by another one.

    `handed_back` of the attempts so far, this one included, were given back by runners that stopped. They count for
    nothing here but against a limit of their own.
    """
    allowed = 1 + policy.limit if reason in policy.reasons else 1
    if reason is Reason.LOST:
        allowed = max(allowed, LOST_ATTEMPTS)
    return attempt - handed_back < allowed and handed_back < HANDED_BACK_ATTEMPTS


def event_after(attempt: int, reason: Reason | None, policy: RetryPolicy, handed_back: int = 0) -> StepEvent:
    """What the end of an attempt is to its step run; without a reason the attempt succeeded."""
    if reason is None:
        return StepEvent.SUCCEED
    return StepEvent.RETRY if may_retry(attempt, reason, policy, handed_back) else StepEvent.FAIL


def pause_s(attempt: int, reason: Reason | None, handed_back: int = 0) -> float:
    """How long the attempt that follows number `attempt` waits before it is ready for a runner.

    `reason` is None for one that was handed back, as nothing is wrong with its step.
    """
    return LOST_PAUSE_S if reason is Reason.LOST and attempt - handed_back >= LOST_ATTEMPTS - 1 else 0.0
