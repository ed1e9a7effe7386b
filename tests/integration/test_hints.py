"""Which work leaves a hint, so that somebody looks at a build before a sweep has to find it."""

from functools import partial

import pytest

from app.models.database import Database
from app.models.hints import DISPATCH, PLAN, Hint
from app.services import builds
from app.services.builds import BuildRequest
from tests.integration.plant import HANDED_BACK, Plant


@pytest.fixture
def hints() -> list[Hint]:
    return []


@pytest.fixture
def plant(database_url: str, hints: list[Hint]) -> Plant:
    return Plant(Database(database_url, on_hints=hints.extend))


def test_a_request_that_is_repeated_before_its_build_was_planned_is_hinted_at_again(
    plant: Plant, hints: list[Hint]
) -> None:
    """Its client may have had no answer because the API died before the hint was sent."""
    request = BuildRequest(plant.workflow({"a": []}))
    ask = partial(plant.database.transact, builds.create, plant.project, request, "key")
    build = ask().id
    assert (ask().id, hints) == (build, [Hint(PLAN, build)] * 2)
    plant.plan(build)
    hints.clear()
    assert (ask().id, hints) == (build, [])


def test_steps_that_become_ready_are_hinted_at(plant: Plant, hints: list[Hint]) -> None:
    ids = plant.planned({"a": [], "b": ["a"]})
    dispatch = Hint(DISPATCH, ids.build)
    assert hints[-1] == dispatch
    for outcome in (HANDED_BACK, None):
        hints.clear()
        plant.run(ids.steps["a"], *[outcome] if outcome else [])
        assert hints == [dispatch]
    hints.clear()
    plant.run(ids.steps["b"])
    assert hints == []
