"""Which failures are followed by another attempt, and how many of them."""

import pytest

from app.domain.definition import StepDefinition
from app.domain.retry import HANDED_BACK_ATTEMPTS, LOST_PAUSE_S, RETRYABLE, RetryPolicy, Tally, may_retry, pause_s
from app.domain.vocabulary import Reason

STEP = {"name": "a", "imageSlug": "x", "dependsOn": ["b", "b"], "runScript": "true", "cacheDirs": [], "outputPaths": []}


def attempts(reason: Reason, policy: RetryPolicy) -> int:
    """How many attempts there are when every one of them fails for the reason."""
    ends = [(reason, False)]
    while may_retry(reason, policy, Tally.of(ends)):
        ends.append((reason, False))
    return len(ends)


@pytest.mark.parametrize(
    ("reason", "policy", "expected"),
    [
        (Reason.EXIT, RetryPolicy(), 1),
        (Reason.TIMEOUT, RetryPolicy(), 1),
        (Reason.LOST, RetryPolicy(), 3),
        (Reason.EXIT, RetryPolicy(2), 3),
        (Reason.EXIT, RetryPolicy(2, frozenset({Reason.TIMEOUT})), 1),
        (Reason.TIMEOUT, RetryPolicy(2, frozenset({Reason.TIMEOUT})), 3),
        (Reason.LOST, RetryPolicy(1), 3),
        (Reason.LOST, RetryPolicy(4), 5),
        (Reason.CONFIG, RetryPolicy(9), 1),
    ],
)
def test_a_failure_is_tried_as_often_as_its_reason_and_the_policy_allow(
    reason: Reason, policy: RetryPolicy, expected: int
) -> None:
    assert attempts(reason, policy) == expected


def test_attempts_that_were_handed_back_count_for_nothing() -> None:
    assert may_retry(Reason.LOST, RetryPolicy(), Tally(handed_back=5))
    assert may_retry(Reason.LOST, RetryPolicy(), Tally(lost=2, handed_back=3))
    assert not may_retry(Reason.LOST, RetryPolicy(), Tally(lost=3, handed_back=2))
    assert may_retry(Reason.EXIT, RetryPolicy(1), Tally(failed=1, handed_back=2))


def test_lost_runners_and_failures_of_the_script_are_counted_apart() -> None:
    assert may_retry(Reason.LOST, RetryPolicy(2), Tally(lost=1, failed=2))
    assert may_retry(Reason.EXIT, RetryPolicy(2), Tally(lost=2, failed=2))
    assert not may_retry(Reason.LOST, RetryPolicy(2), Tally(lost=3, failed=1))
    assert not may_retry(Reason.EXIT, RetryPolicy(2), Tally(lost=1, failed=3))


def test_a_step_is_not_handed_back_for_ever() -> None:
    assert may_retry(Reason.LOST, RetryPolicy(), Tally(handed_back=HANDED_BACK_ATTEMPTS - 1))
    assert not may_retry(Reason.LOST, RetryPolicy(), Tally(handed_back=HANDED_BACK_ATTEMPTS))


def test_only_what_was_lost_twice_through_its_own_fault_waits_for_its_next_attempt() -> None:
    assert [pause_s(Reason.LOST, Tally(lost=lost)) for lost in (1, 2, 3)] == [0, LOST_PAUSE_S, LOST_PAUSE_S]
    assert pause_s(Reason.LOST, Tally(lost=1, failed=3, handed_back=4)) == 0
    assert pause_s(None, Tally(lost=2)) == pause_s(Reason.EXIT, Tally(lost=2, failed=1)) == 0


def test_a_tally_counts_each_failed_attempt_as_one_thing() -> None:
    ends = [(Reason.LOST, True), (Reason.LOST, False), (Reason.EXIT, False), (Reason.TIMEOUT, False), (None, False)]
    assert Tally.of(ends) == Tally(lost=1, failed=2, handed_back=1)


def test_a_step_without_further_words_has_the_defaults() -> None:
    step = StepDefinition.from_posted(STEP)
    assert (step.timeout_s, step.pool, step.allow_failure, step.run_if) == (None, "default", False, "success")
    assert step.retries == RetryPolicy(0, RETRYABLE)


def test_a_name_repeated_among_the_dependencies_counts_once() -> None:
    assert StepDefinition.from_posted(STEP).depends_on == ("b",)
