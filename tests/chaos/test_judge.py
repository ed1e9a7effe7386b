"""The judge sees each thing that can be wrong: evidence that is in order, and the same with one thing changed."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.chaos.history import History
from tests.chaos.invariants import Evidence, judge
from tests.chaos.ledger import Life, Line, lives
from tests.chaos.plans import BuildPlan, StepPlan

FIRST = StepPlan("first", (), 0.1, 10, fails=False)
SECOND = StepPlan("second", ("first",), 0.1, 0, fails=False)
PLAN = BuildPlan(0, (FIRST, SECOND))


def moves(*statuses: str) -> list[dict[str, str]]:
    return [{"before": before, "after": after} for before, after in pairwise(statuses)]


def history(**changes: Any) -> History:
    """`first` was lost once and tried again, `second` succeeded at once."""
    steps = {"first": {"status": "SUCCESS"}, "second": {"status": "SUCCESS"}}
    told = {
        "build": {"status": "SUCCESS"},
        "steps": steps,
        "attempts": {"first": [{"status": "FAILED"}, {"status": "SUCCESS"}], "second": [{"status": "SUCCESS"}]},
        "log_bytes": {"first": 10, "second": 0},
        "moves": {
            "first": moves("PENDING", "READY", "RUNNING", "READY", "RUNNING", "SUCCESS"),
            "second": moves("PENDING", "READY", "RUNNING", "SUCCESS"),
        },
    }
    return History(**{**told, **changes})


LIVES = {
    ("first", 1): Life("first", 1, (1.0,), 1.5, ended=False),
    ("first", 2): Life("first", 2, (3.0,), 3.5, ended=True),
    ("second", 1): Life("second", 1, (4.0,), 4.5, ended=True),
}
GOOD = Evidence(PLAN, history(), LIVES)


def with_life(**changes: Any) -> Evidence:
    """`first`'s second attempt, other than it was."""
    return replace(GOOD, lives={**LIVES, ("first", 2): replace(LIVES["first", 2], **changes)})


BROKEN: dict[str, tuple[str, Evidence]] = {
    "open": ("every build ends", replace(GOOD, history=history(build={"status": "RUNNING"}))),
    "two successes": (
        "a step has at most one accepted result",
        replace(GOOD, history=history(attempts={"first": [{"status": "SUCCESS"}] * 2, "second": []})),
    ),
    "an attempt that never ended": (
        "a step has at most one accepted result",
        replace(GOOD, history=history(attempts={"first": [{"status": "RUNNING"}], "second": []})),
    ),
    "two starts": ("an attempt starts at most once", with_life(starts=(3.0, 3.1))),
    "an overlap": ("attempts of a step do not overlap", with_life(starts=(0.4,))),
    "too early": ("a step starts after what it depends on", with_life(last=4.1)),
    "another end": (
        "a build is what its steps make of it",
        replace(GOOD, history=history(steps={"first": {"status": "FAILED"}, "second": {"status": "SKIPPED"}})),
    ),
    "another end of the build": (
        "a build is what its steps make of it",
        replace(GOOD, history=history(build={"status": "FAILED"})),
    ),
    "a success that is a lie": ("what is called done was done", with_life(ended=False)),
    "a byte lost": ("the log has every byte", replace(GOOD, history=history(log_bytes={"first": 9, "second": 0}))),
    "a move that nobody wrote down": (
        "one audit entry per move",
        replace(GOOD, history=history(moves={"first": moves("RUNNING", "SUCCESS"), "second": []})),
    ),
}


def test_evidence_that_is_in_order_is_found_so() -> None:
    assert judge(GOOD) == {}


@pytest.mark.parametrize(("invariant", "evidence"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_is_found(invariant: str, evidence: Evidence) -> None:
    assert invariant in judge(evidence)


def test_the_lines_of_a_ledger_are_told_apart_by_attempt() -> None:
    lines = [
        Line("start", "a", 1, 1.0),
        Line("beat", "a", 1, 1.1),
        Line("start", "a", 2, 2.0),
        Line("end", "a", 2, 2.2),
    ]
    assert lives(lines) == {
        ("a", 1): Life("a", 1, (1.0,), 1.1, ended=False),
        ("a", 2): Life("a", 2, (2.0,), 2.2, ended=True),
    }
