"""The work per event is proportional to what the event changed, never to the size of the build or of the history."""

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
from sqlalchemy import select

from app.models import StepEdge, StepRun
from app.services import builds, leases, logs
from app.services.builds import BuildRequest
from tests.integration.plant import FAILURE, SUCCESS, Ids, Plant, Steps
from tests.integration.statements import Work, work_of

SMALL, LARGE = 10, 1_000
Event = Callable[[Plant, Ids], Work]


def fan(width: int) -> Steps:
    middle = [str(number) for number in range(width)]
    return {"first": [], **{name: ["first"] for name in middle}, "last": middle}


def chain(length: int) -> Steps:
    return {str(number): [str(number - 1)] if number else [] for number in range(length)}


def opened(plant: Plant, width: int) -> Ids:
    """A fan whose middle is READY, and one step of it claimed."""
    ids = plant.planned(fan(width))
    plant.run(ids.steps["first"])
    plant.claim(ids.steps["0"])
    return ids


def succeed(plant: Plant, ids: Ids) -> Work:
    return work_of(plant.database, partial(plant.complete, ids.steps["0"], SUCCESS, 1))


def fail(plant: Plant, ids: Ids) -> Work:
    return work_of(plant.database, partial(plant.complete, ids.steps["0"], FAILURE, 1))


def claim(plant: Plant, ids: Ids) -> Work:
    return work_of(plant.database, partial(plant.claim, ids.steps["1"]))


def heartbeat(plant: Plant, ids: Ids) -> Work:
    beat = partial(plant.database.transact, leases.extend, ids.steps["0"], "runner-1", 1, 30)
    return work_of(plant.database, beat)


def append(plant: Plant, ids: Ids) -> Work:
    return work_of(plant.database, partial(plant.database.transact, logs.append, ids.steps["0"], 1, 0, b"line\n"))


@pytest.mark.parametrize("event", [succeed, fail, claim, heartbeat, append], ids=lambda event: str(event.__name__))
def test_an_event_costs_the_same_among_ten_siblings_and_among_a_thousand(plant: Plant, event: Event) -> None:
    assert event(plant, opened(plant, SMALL)) == event(plant, opened(plant, LARGE))


def test_a_step_of_a_chain_costs_the_same_at_any_length(plant: Plant) -> None:
    def first(length: int) -> Work:
        ids = plant.planned(chain(length))
        plant.claim(ids.steps["0"])
        return succeed(plant, ids)

    assert first(SMALL) == first(LARGE)


def test_a_plan_costs_what_it_releases(plant: Plant) -> None:
    def plan(length: int) -> Work:
        return work_of(plant.database, partial(plant.plan, plant.build(chain(length)).build))

    assert plan(SMALL) == plan(LARGE)


def test_a_history_makes_no_event_dearer(plant: Plant) -> None:
    before = succeed(plant, opened(plant, SMALL))
    for _ in range(SMALL):
        plant.run(plant.planned({"a": []}).steps["a"])
    assert succeed(plant, opened(plant, SMALL)) == before


def test_a_failure_looks_no_further_than_it_skips(plant: Plant) -> None:
    """What waits for another step too is not skipped yet: how much comes after it does not matter."""

    def first(length: int) -> Work:
        below = {f"below {name}": [f"below {need}" for need in needs] for name, needs in chain(length).items()}
        ids = plant.planned({"0": [], "other": [], **below, "below 0": ["0", "other"]})
        plant.claim(ids.steps["0"])
        return fail(plant, ids)

    assert first(SMALL) == first(LARGE)


@pytest.mark.parametrize("shape", [chain, fan])
def test_a_failure_at_the_root_takes_a_few_statements_for_each_batch_it_skips(
    plant: Plant, shape: Callable[[int], Steps]
) -> None:
    depends_on = shape(LARGE)
    ids = plant.planned(depends_on)
    root = ids.steps[next(iter(depends_on))]
    plant.claim(root)
    work = work_of(plant.database, partial(plant.complete, root, FAILURE, 1))
    assert plant.row(ids).status == "FAILED"
    assert set(plant.statuses(ids).values()) == {"FAILED", "SKIPPED"}
    assert work.statements < 60


def test_a_build_takes_few_statements_however_many_edges_it_has(plant: Plant) -> None:
    """100 steps that need all of 101 others: 10,100 edges, which are sent by the ten thousand."""
    above, below = [f"a{number}" for number in range(101)], [f"b{number}" for number in range(100)]
    workflow = plant.workflow({**dict.fromkeys(above, ()), **dict.fromkeys(below, tuple(above))})
    create = partial(plant.database.transact, builds.create, plant.project, BuildRequest(workflow))
    assert work_of(plant.database, create).statements < 20
    query = select(StepEdge.upstream, StepEdge.downstream)
    edges = plant.database.read(lambda session: [tuple(row) for row in session.execute(query)])
    runs = select(StepRun.id, StepRun.name)
    names = plant.database.read(lambda session: {run.id: run.name for run in session.execute(runs)})
    joined = [(names[upstream], names[downstream]) for upstream, downstream in edges]
    assert sorted(joined) == sorted(product(above, below))
