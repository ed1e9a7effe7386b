"""What is counted of a storm, by hand-made ledgers and histories."""

from dataclasses import replace

import pytest

from tests.chaos.faults import Kill
from tests.chaos.figures import Figures, Recovery, count, percentile, recoveries
from tests.chaos.ledger import Life
from tests.chaos.order import Order
from tests.chaos.plans import BuildPlan, StepPlan
from tests.chaos.report import told, told_sum
from tests.chaos.verdict import Verdict

PLAN = BuildPlan(0, (StepPlan("only", (), 0.1, 0, fails=False),))
FIRST = Life("only", 1, (1.0,), 2.0, ended=True)
SECOND = Life("only", 2, (3.0,), 4.0, ended=True)


@pytest.mark.parametrize(
    ("lives", "expected"),
    [
        ([FIRST], Figures(builds=1, steps=1)),
        ([], Figures(builds=1, steps=1, lost=1)),
        ([replace(FIRST, ended=False)], Figures(builds=1, steps=1, lost=1)),
        ([replace(FIRST, ended=False), SECOND], Figures(builds=1, steps=1, started_again=1)),
        ([FIRST, SECOND], Figures(builds=1, steps=1, started_again=1, run_twice=1)),
        (
            [replace(FIRST, last=4.5, ended=False), SECOND],
            Figures(builds=1, steps=1, started_again=1, overlapping=1),
        ),
    ],
    ids=["once", "never", "never to its end", "again after a loss", "to its end twice", "twice at once"],
)
def test_a_step_is_counted_by_what_it_wrote(lives: list[Life], expected: Figures) -> None:
    assert count(PLAN, lives, has_ended=True) == expected


def test_a_step_that_is_held_up_had_not_to_run() -> None:
    held_up = StepPlan("later", ("only",), 0.1, 0, fails=False)
    plan = BuildPlan(0, (replace(PLAN.steps[0], fails=True), held_up))
    assert count(plan, [FIRST], has_ended=False) == Figures(builds=1, never_ended=1, steps=1)


def test_a_recovery_lasts_from_the_kill_of_the_runner_to_the_next_claim() -> None:
    lost = {"runner": "runner-0", "reason": "lost", "startedAt": stamp(0), "finishedAt": stamp(9)}
    again = {"runner": "runner-1", "startedAt": stamp(10)}
    kills = [Kill("runner-0", second(-1)), Kill("runner-1", second(2)), Kill("runner-0", second(4))]
    assert [*recoveries([[lost, again]], kills)] == [Recovery(5.0, 6.0)]
    given_back = {key: value for key, value in lost.items() if key != "runner"}  # a claim that nobody heard has none
    assert [*recoveries([[given_back, again]], kills)] == []
    assert [*recoveries([[lost]], kills)] == [*recoveries([[lost, again]], kills[:2])] == []


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (51.0, 100.0, 100.0)
    assert percentile([], 0.5) == 0.0


def test_storms_add_up_and_survive_their_files() -> None:
    one = Verdict(Order(1, 2, 3.0), faults={"SIGKILL of a program": 4}, claimed_s=[1.0], ours=Figures(steps=5))
    other = replace(one, order=Order(2, 2, 3.0), control=Figures(steps=5, lost=2), wrong={"every build ends": ["it"]})
    total = Verdict(one.order)
    for verdict in (one, other):
        assert Verdict.from_dict(verdict.to_dict()) == verdict
        total.add(verdict)
    assert (total.faults, total.claimed_s, total.ours.steps) == ({"SIGKILL of a program": 8}, [1.0, 1.0], 10)
    assert total.control == other.control
    assert total.wrong == {"every build ends": ["storm 2: it"]}


def test_a_report_says_what_is_broken_and_what_nobody_judged() -> None:
    verdict = Verdict(Order(1, 2, 3.0), wrong={"every build ends": ["build 0: the build is RUNNING"]})
    for text in (told(verdict), told_sum(1, 0, verdict)):
        assert "BROKEN  every build ends\n            build 0: the build is RUNNING\n" in text
        assert text.splitlines()[-1] == "  not judged: nothing starts after a cancel, as no build can be cancelled yet"


def second(number: float) -> float:
    return 1_000_000_000.0 + number


def stamp(number: int) -> str:
    """2001-09-09T01:46:40Z is second 1,000,000,000."""
    return f"2001-09-09T01:46:{40 + number}Z"
