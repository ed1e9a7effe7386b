"""One seed is one storm: the same builds and the same faults, so that what was seen can be seen again."""

import random

import pytest

from tests.chaos import plans, storm
from tests.chaos.plans import BuildPlan, StepPlan
from tests.chaos.storm import Fault


def test_the_same_seed_draws_the_same_builds_and_faults() -> None:
    assert plans.draw(random.Random(7), 5) == plans.draw(random.Random(7), 5) != plans.draw(random.Random(8), 5)
    assert storm.draw(random.Random(7), 60, True) == storm.draw(random.Random(7), 60, True)


def test_a_long_storm_has_every_fault_in_the_order_of_time() -> None:
    strikes = storm.draw(random.Random(1), 1_000, on_postgresql=True)
    assert {strike.fault for strike in strikes} == set(Fault)
    assert strikes == sorted(strikes, key=lambda strike: strike.at_s)


def test_a_storm_on_sqlite_leaves_postgresql_alone() -> None:
    faults = {strike.fault for strike in storm.draw(random.Random(1), 1_000, on_postgresql=False)}
    assert faults == set(Fault) - {Fault.DATABASE_RESTART, Fault.DATABASE_FREEZE}


@pytest.mark.parametrize(
    ("fails", "ends", "status"),
    [((), ("SUCCESS",) * 3, "SUCCESS"), (("a",), ("FAILED", "SKIPPED", "SKIPPED"), "FAILED")],
)
def test_the_end_of_a_build_is_known_beforehand(fails: tuple[str, ...], ends: tuple[str, ...], status: str) -> None:
    needed = {"a": (), "b": ("a",), "c": ("a", "b")}
    plan = BuildPlan(0, tuple(StepPlan(name, needs, 0, 0, name in fails) for name, needs in needed.items()))
    assert (tuple(plan.expected().values()), plan.expected_status()) == (ends, status)
