"""In every order in which a small build's events can come the promises hold; and the check would see it if not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.domain import engine, rulings
from app.domain.engine import Settlement
from app.domain.vocabulary import RunIf
from tests.model import moves
from tests.model.__main__ import SMALL, Size
from tests.model.explore import Violation, explore
from tests.model.plans import conditional, graphs
from tests.model.world import Plan

PAIR = Plan(depends_on=((), (0,)))
FORK = Plan(depends_on=((), (0,), (0,)))


@pytest.mark.parametrize("size", SMALL, ids=lambda size: f"{size.steps} steps, {size.title}, {size.losses} losses")
def test_no_order_of_events_breaks_a_promise(size: Size) -> None:
    _, found = size.explore()
    assert found.worlds > 20


def test_every_shape_of_a_graph_is_explored_once() -> None:
    """The numbers of DAGs without names on their nodes, and those of two steps with every condition."""
    assert [len(list(graphs(steps))) for steps in (1, 2, 3, 4)] == [1, 2, 6, 31]
    assert len(list(conditional(2))) == 4 + 3 * 4


def nothing(*_: Any) -> None:
    """Allows everything."""


GUARDS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "a claim that is not judged": (rulings, "allow_claim", nothing, "cannot claim"),
    "a lost wake-up": (engine.Waiting, "after", lambda waiting, _: waiting, "knows how much it waits for"),
    "a failure that passes": (moves, "settlement_of", lambda *_: Settlement.PASSED, "what its step runs make of it"),
    "a condition that is ignored": (engine, "may_run", lambda _: True, "what its step runs make of it"),
    "a message that is never sent again": (moves, "_send", lambda _: iter(()), "can never end"),
    "a sweep that never comes": (moves, "_sweep", lambda *_: iter(()), "can never end"),
}


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
def test_a_guard_that_is_taken_out_is_missed(
    monkeypatch: pytest.MonkeyPatch, guard: tuple[Any, str, Callable[..., Any], str]
) -> None:
    place, name, instead, promise = guard
    monkeypatch.setattr(place, name, instead)
    with pytest.raises(Violation, match=promise):
        explore(PAIR, losses=1)


def test_a_story_of_what_went_wrong_is_told_move_by_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "settlement_of", lambda *_: Settlement.PASSED)
    with pytest.raises(Violation) as told:
        explore(FORK, losses=0)
    for move in ("plan", "send 0", "deliver 0", "claim 0", "script ends 0", "report 0, unheard"):
        assert f"'{move}'" in str(told.value)


def test_a_plan_says_what_its_steps_are_like() -> None:
    plan = Plan(PAIR.depends_on, (RunIf.SUCCESS, RunIf.ALWAYS), (True, False))
    assert (plan.condition(1), plan.may_fail(0), plan.may_fail(1)) == (RunIf.ALWAYS, True, False)
    assert replace(plan, run_if=(), allow_failure=()).condition(1) is RunIf.SUCCESS
