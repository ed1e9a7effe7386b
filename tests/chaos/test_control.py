"""The control gets the same builds and a fair share of the same storm."""

import random
from pathlib import Path

import pytest

from tests.chaos import control, control_app, plans
from tests.chaos.figures import Figures
from tests.chaos.order import Order
from tests.chaos.plans import BuildPlan, Script, StepPlan
from tests.chaos.storm import Fault

FIRST = StepPlan("first", (), 0, 0, fails=False)
BESIDE = StepPlan("beside", (), 0, 0, fails=True)
AFTER = StepPlan("after", ("first", "beside"), 0, 0, fails=False)


def run(ledger: Path, step: StepPlan, known: control_app.Outcomes) -> control_app.Outcomes:
    return control_app.step(known, "b0", step.name, step.depends_on, Script(str(ledger), step).text())


def test_a_step_of_the_control_runs_its_script_and_leaves_itself_out_after_a_failure(tmp_path: Path) -> None:
    known = control_app.gather([run(tmp_path, FIRST, {}), run(tmp_path, BESIDE, {})])
    assert run(tmp_path, AFTER, known) == {"first": "SUCCESS", "beside": "FAILED", "after": "SKIPPED"}
    assert "start after" not in (tmp_path / "b0").read_text()


@pytest.mark.parametrize("seed", range(5))
def test_a_canvas_has_every_step_after_those_it_depends_on(seed: int, tmp_path: Path) -> None:
    (plan,) = plans.draw(random.Random(seed), 1)
    celery = control_app.make("memory://")
    celery.conf.update(task_always_eager=True, result_backend="cache+memory://")
    control_app.canvas(celery, quick(plan), "b0", str(tmp_path)).apply_async()
    assert control_app.ended(tmp_path, "b0").exists()
    ran = [line.split()[1] for line in (tmp_path / "b0").read_text().splitlines() if line.startswith("end")]
    assert sorted(ran) == sorted(name for name, end in plan.expected().items() if end != "SKIPPED")


def test_the_control_is_struck_only_by_what_strikes_its_workers_and_its_messages() -> None:
    strikes = [strike for strike in Order(1, 1, 1_000).strikes() if control.means_something(strike)]
    assert {strike.fault for strike in strikes} == control.OF_MESSAGES | control.OF_PROGRAMS
    assert {strike.role for strike in strikes if strike.fault is Fault.KILL} == {"runner"}


def test_in_calm_weather_the_control_loses_nothing_and_runs_nothing_twice() -> None:
    figures, faults = control.run(Order(1, 4, seconds=0))
    assert faults == {}
    assert figures == Figures(builds=4, steps=figures.steps)


def quick(plan: BuildPlan) -> BuildPlan:
    return BuildPlan(plan.number, tuple(StepPlan(step.name, step.depends_on, 0, 0, step.fails) for step in plan.steps))
