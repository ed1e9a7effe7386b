"""A write whose row has changed since the decision changes nothing, also where no lock kept the row as it was.

The build's lock makes this impossible, so each test decides on a row as it was before somebody else's commit.
"""

from functools import partial

import pytest
from sqlalchemy.orm import Session

from app.domain.engine import Settlement, Waiting
from app.domain.errors import Conflict
from app.domain.transitions import StepEvent
from app.domain.vocabulary import StepStatus
from app.models import StepRun
from app.services import builds, progress, steps
from app.services.trail import Trail
from tests.integration.plant import HANDED_BACK, Plant


def cancel(run: StepRun, session: Session) -> None:
    """Move the row on the strength of what was read before."""
    steps.change(session, run, StepEvent.CANCEL, reason="cancelled")


def refused(plant: Plant, work: partial[None]) -> str:
    """The code of the conflict that the work ends in; nothing has changed then."""
    before = plant.snapshot()
    with pytest.raises(Conflict) as conflict:
        plant.database.transact(work)
    assert plant.snapshot() == before
    return conflict.value.code


def test_a_step_whose_status_changed_since_it_was_read_is_not_moved(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    read_before = plant.run_of(ids.steps["a"])
    plant.claim(ids.steps["a"])
    assert refused(plant, partial(cancel, read_before)) == "changed_meanwhile"


def test_a_step_that_is_at_another_attempt_since_it_was_read_is_not_moved(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    read_before = plant.run_of(ids.steps["a"])
    plant.run(ids.steps["a"], HANDED_BACK)
    assert plant.run_of(ids.steps["a"]).status is StepStatus.READY
    assert refused(plant, partial(cancel, read_before)) == "changed_meanwhile"


def release(build_id: str, step_id: str, session: Session) -> None:
    """Release a dependent that the engine saw PENDING."""
    with Trail(session, "test") as trail:
        progress._release(trail, builds.get(session, build_id), [step_id])


def test_a_dependent_that_is_not_pending_any_more_is_not_released(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    plant.claim(ids.steps["a"])
    assert refused(plant, partial(release, ids.build, ids.steps["a"])) == "changed_meanwhile"


def count_down(step_id: str, session: Session) -> None:
    """Write how many dependencies are left of a dependent that the engine saw PENDING."""
    state = Waiting(0, Settlement.PASSED, steps.get(session, step_id).run_if)
    progress._wait(session, {step_id: state})


def test_a_dependent_that_is_not_pending_any_more_is_not_counted_down(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    assert refused(plant, partial(count_down, ids.steps["a"])) == "changed_meanwhile"
