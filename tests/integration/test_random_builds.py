"""Random graphs with random outcomes through the services, on both databases, against a look at the whole graph.

The oracle knows no counters and no regions: it walks the finished graph in topological order.
"""

from collections import Counter
from dataclasses import dataclass

import networkx as nx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.engine import Settlement
from app.domain.vocabulary import Reason, RunIf, StepStatus
from app.services.endings import Outcome
from tests.integration.plant import SUCCESS, Ids, Plant

LOST = "lost"
TRIES = 4
ENDED = {StepStatus.SUCCESS, StepStatus.FAILED, StepStatus.SKIPPED}


@dataclass(frozen=True)
class Planned:
    """A step of a random graph, and what each of its attempts is to come to."""

    needs: list[str]
    run_if: RunIf
    allow_failure: bool
    retries: int
    outcomes: list[str]

    def fields(self) -> dict[str, object]:
        retries = {"limit": self.retries, "reasons": ["exit"]}
        return {"runIf": self.run_if, "allowFailure": self.allow_failure, "retries": retries}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Planned]:
    """Steps `0`, `1`, … each depending on some of those before it."""
    size = draw(st.integers(1, 7))
    outcome = st.sampled_from(["success", "success", "exit", LOST])
    return {
        str(i): Planned(
            [str(j) for j in range(i) if draw(st.booleans())],
            draw(st.sampled_from([RunIf.SUCCESS, RunIf.SUCCESS, RunIf.FAILURE, RunIf.ALWAYS])),
            draw(st.booleans()),
            draw(st.integers(0, 1)),
            draw(st.lists(outcome, min_size=TRIES, max_size=TRIES)),
        )
        for i in range(size)
    }


def expected(graph: dict[str, Planned]) -> dict[str, tuple[StepStatus, Reason | None, int]]:
    """Each step's final status, its reason and its last attempt."""
    edges: nx.DiGraph[str] = nx.DiGraph()
    edges.add_nodes_from(graph)
    edges.add_edges_from((need, name) for name, step in graph.items() for need in step.needs)
    ends: dict[str, tuple[StepStatus, Reason | None, int]] = {}
    means: dict[str, Settlement] = {}
    for name in nx.topological_sort(edges):
        step, before = graph[name], {means[need] for need in graph[name].needs}
        failed, clean = Settlement.FAILED in before, before <= {Settlement.PASSED}
        runs = {RunIf.SUCCESS: clean, RunIf.FAILURE: failed, RunIf.ALWAYS: True}[step.run_if]
        if runs:
            ends[name] = outcome(step)
            passed = ends[name][0] is StepStatus.SUCCESS or step.allow_failure
            means[name] = Settlement.PASSED if passed else Settlement.FAILED
        elif step.run_if is RunIf.SUCCESS and failed:
            ends[name], means[name] = (StepStatus.SKIPPED, Reason.DEPENDENCY, 1), Settlement.FAILED
        else:
            ends[name], means[name] = (StepStatus.SKIPPED, Reason.CONDITION, 1), Settlement.OMITTED
    return ends


def outcome(step: Planned) -> tuple[StepStatus, Reason | None, int]:
    """Lost runners and failures of the script are counted apart."""
    for number, how in enumerate(step.outcomes, start=1):
        if how == "success":
            return StepStatus.SUCCESS, None, number
        if step.outcomes[:number].count(how) > (2 if how == LOST else step.retries):
            return StepStatus.FAILED, Reason(how), number
    raise AssertionError("four attempts are the most there are")


def play(plant: Plant, ids: Ids, name: str, step: Planned) -> None:
    """One attempt of a READY step comes to what was planned for it, every message arriving twice."""
    step_id = ids.steps[name]
    number = plant.claim(step_id).attempt
    assert plant.claim(step_id).attempt == number
    how = step.outcomes[number - 1]
    if how == LOST:
        plant.lose(step_id)
        return
    result = SUCCESS if how == "success" else Outcome(False, Reason.EXIT, 1)
    first = plant.complete(step_id, result, number)
    assert plant.complete(step_id, result, number) == first


def ready(plant: Plant, ids: Ids) -> list[str]:
    return sorted(name for name, status in plant.statuses(ids).items() if status is StepStatus.READY)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs(), st.data())
def test_every_build_ends_as_the_whole_graph_says(plant: Plant, graph: dict[str, Planned], data: st.DataObject) -> None:
    needs = {name: step.needs for name, step in graph.items()}
    ids = plant.planned(needs, **{name: step.fields() for name, step in graph.items()})
    plant.plan(ids.build)
    failures: list[Reason] = []
    while may_start := ready(plant, ids):
        name = data.draw(st.sampled_from(may_start))
        assert all(plant.statuses(ids)[need] in ENDED for need in graph[name].needs), "started too early"
        assert len(plant.dispatch(ids.build)) <= len(may_start)
        assert plant.dispatch(ids.build) == []
        play(plant, ids, name, graph[name])
        run = plant.run_of(ids.steps[name])
        if run.status is StepStatus.FAILED and not graph[name].allow_failure and run.reason:
            failures.append(run.reason)
    ends = expected(graph)
    runs = {name: plant.run_of(step_id) for name, step_id in ids.steps.items()}
    assert {name: (run.status, run.reason, run.attempt) for name, run in runs.items()} == ends
    build = plant.row(ids)
    assert (build.status, build.status_reason) == (("FAILED", failures[0]) if failures else ("SUCCESS", None))
    assert build.open_steps == 0
    assert Counter(plant.entries(ids)) == audited(graph, ends)


def audited(
    graph: dict[str, Planned], ends: dict[str, tuple[StepStatus, Reason | None, int]]
) -> Counter[tuple[str, str]]:
    """One audit entry for each move: of a step READY once, claimed and ended once for every attempt."""
    ran = [name for name, (status, _, _) in ends.items() if status is not StepStatus.SKIPPED]
    moves = Counter([("build.created", ""), ("build.finished", "")] + [("build.started", "")] * bool(ran))
    for name, (_, _, attempts) in ends.items():
        if name not in ran:
            moves["step.skipped", name] += 1
            continue
        moves["step.ready", name] += 1
        moves["step.claimed", name] += attempts
        for how in graph[name].outcomes[:attempts]:
            moves["step.expired" if how == LOST else "step.completed", name] += 1
    return moves
