"""The engine on random graphs with random outcomes, against an oracle that looks at the whole graph every time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from app.domain.engine import Advance, Region, Settlement, Waiting, advance, finish, may_run, settlement_of, start
from app.domain.transitions import BuildEvent
from app.domain.vocabulary import Reason, RunIf, StepStatus

RAN, SKIPPED = "ran", "skipped"


@dataclass(frozen=True)
class Step:
    """A step of a random graph, with the end it comes to if it runs."""

    needs: Sequence[str]
    run_if: RunIf
    allow_failure: bool
    succeeds: bool

    @property
    def settlement(self) -> Settlement:
        return settlement_of(StepStatus.SUCCESS if self.succeeds else StepStatus.FAILED, self.allow_failure)


Graph = Mapping[str, Step]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Steps `0`, `1`, … each depending on some of those before it."""
    needs = [[str(j) for j in range(i) if draw(st.booleans())] for i in range(draw(st.integers(1, 10)))]
    return {
        str(i): Step(of_step, draw(st.sampled_from(RunIf)), draw(st.booleans()), draw(st.booleans()))
        for i, of_step in enumerate(needs)
    }


@dataclass
class Simulation:
    """Runs a graph to its end with the engine, which sees `depth` levels below what settled, and more if it asks."""

    graph: Graph
    depth: int
    waiting: dict[str, Waiting] = field(init=False)
    ready: list[str] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = {name: Waiting(len(step.needs), run_if=step.run_if) for name, step in self.graph.items()}
        self.take(start(self.region([], free=True)))

    def end(self, name: str) -> None:
        self.ready.remove(name)
        self.ends[name] = RAN
        self.explore({name: self.graph[name].settlement})

    def explore(self, settled: Mapping[str, Settlement]) -> None:
        self.take(advance(settled, self.region(list(settled))))

    def region(self, settled: Sequence[str], free: bool = False) -> Region:
        known, frontier = set(settled), set(settled)
        for _ in range(self.depth):
            frontier = {below for name in frontier for below in self.dependents(name)}
            known |= frontier
        dependents = {name: self.dependents(name) for name in sorted(known)}
        reached = {below for names in dependents.values() for below in names}
        reached |= {name for name, waiting in self.waiting.items() if free and not waiting.waiting_on}
        return Region({name: self.waiting[name] for name in sorted(reached)}, dependents)

    def dependents(self, name: str) -> list[str]:
        return [below for below, step in self.graph.items() if name in step.needs]

    def take(self, outcome: Advance) -> None:
        self.waiting.update(outcome.waiting)
        self.ready += outcome.ready
        assert not set(outcome.skipped) & set(self.ends), "skipped twice"
        self.ends.update({name: f"{SKIPPED}: {reason}" for name, reason in outcome.skipped.items()})
        if outcome.unexplored:
            self.explore(outcome.unexplored)


def ends(graph: Graph) -> dict[str, str]:
    """What becomes of every step, by a walk over the whole graph that knows neither counters nor regions."""
    edges: nx.DiGraph[str] = nx.DiGraph((need, name) for name, step in graph.items() for need in step.needs)
    edges.add_nodes_from(graph)
    found: dict[str, str] = {}
    means: dict[str, Settlement] = {}
    for name in nx.topological_sort(edges):
        step, before = graph[name], [means[need] for need in graph[name].needs]
        failed, passed = Settlement.FAILED in before, all(each is Settlement.PASSED for each in before)
        if {RunIf.ALWAYS: True, RunIf.FAILURE: failed, RunIf.SUCCESS: passed}[step.run_if]:
            found[name], means[name] = RAN, step.settlement
        elif failed and step.run_if is RunIf.SUCCESS:
            found[name], means[name] = f"{SKIPPED}: {Reason.DEPENDENCY}", Settlement.FAILED
        else:
            found[name], means[name] = f"{SKIPPED}: {Reason.CONDITION}", Settlement.OMITTED
    return found


@given(graphs(), st.integers(0, 3), st.data())
def test_every_step_ends_as_the_whole_graph_says_in_whatever_order(
    graph: Graph, depth: int, choices: st.DataObject
) -> None:
    simulation = Simulation(graph, depth)
    while simulation.ready:
        name = choices.draw(st.sampled_from(sorted(simulation.ready)))
        assert all(need in simulation.ends for need in graph[name].needs), "started before its dependencies ended"
        simulation.end(name)
    assert simulation.ends == ends(graph)


@given(graphs())
def test_steps_that_settle_together_come_to_the_same_as_one_after_the_other(graph: Graph) -> None:
    one, together = Simulation(graph, 1), Simulation(graph, 1)
    first = list(one.ready)
    for name in first:
        one.end(name)
    together.ready = []
    together.ends.update(dict.fromkeys(first, RAN))
    together.explore({name: graph[name].settlement for name in first})
    assert sorted(one.ready) == sorted(together.ready)
    assert one.ends == together.ends


def test_where_skipping_reaches_the_edge_of_the_region_the_answer_says_so() -> None:
    outcome = advance({"a": Settlement.FAILED}, Region({"b": Waiting(1)}, {"a": ["b"]}))
    assert outcome.skipped == {"b": Reason.DEPENDENCY}
    assert outcome.unexplored == {"b": Settlement.FAILED}


def test_a_build_begins_with_what_waits_for_nothing_and_may_run() -> None:
    free = {"a": Waiting(0), "on failure": Waiting(0, run_if=RunIf.FAILURE), "b": Waiting(1)}
    outcome = start(Region(free, {}))
    assert (outcome.ready, outcome.skipped) == (["a"], {"on failure": Reason.CONDITION})


def test_a_step_is_judged_by_the_worst_of_its_dependencies() -> None:
    waiting = Waiting(2, run_if=RunIf.FAILURE).after(Settlement.FAILED).after(Settlement.PASSED)
    assert waiting.waiting_on == 0
    assert may_run(waiting)


def test_a_condition_that_does_not_hold_leaves_out_what_depends_on_it() -> None:
    region = Region(
        {"cleanup": Waiting(1, run_if=RunIf.FAILURE), "after cleanup": Waiting(1)},
        {"build": ["cleanup"], "cleanup": ["after cleanup"], "after cleanup": []},
    )
    outcome = advance({"build": Settlement.PASSED}, region)
    assert {name: str(reason) for name, reason in outcome.skipped.items()} == {
        "cleanup": "condition",
        "after cleanup": "condition",
    }


def test_a_build_fails_when_something_recorded_why_and_passes_otherwise() -> None:
    assert (finish(None), finish(Reason.EXIT)) == (BuildEvent.PASS, BuildEvent.FAIL)
