"""When a failed attempt is followed by another."""

from dataclasses import dataclass

from app.domain.vocabulary import Reason

LOST_ATTEMPTS = 3
"""In all, for a step whose runner is lost: the first runner may be broken, three are the step's fault."""

RETRYABLE = frozenset({Reason.EXIT, Reason.TIMEOUT, Reason.LOST})
"""What a policy may name: another attempt at a wrong configuration would meet the same one."""


@dataclass(frozen=True)
class RetryPolicy:
    """At most `limit` further attempts after the first, for failures of the named reasons."""

    limit: int = 0
    reasons: frozenset[Reason] = RETRYABLE


def may_retry(attempt: int, reason: Reason, policy: RetryPolicy) -> bool:
    """Whether attempt number `attempt` (from 1), failed for `reason`, is followed by another one."""
    allowed = 1 + policy.limit if reason in policy.reasons else 1
    if reason is Reason.LOST:
        allowed = max(allowed, LOST_ATTEMPTS)
    return attempt < allowed
