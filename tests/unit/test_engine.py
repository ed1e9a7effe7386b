"""The engine on random graphs with random outcomes, against an oracle that looks at the whole graph every time."""

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from app.domain.engine import Advance, Region, Settlement, Waiting, advance, may_run, settlement_of, start
from app.domain.vocabulary import RunIf, StepStatus

Edges = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Edges:
    """Steps `0`, `1`, … each depending on some of those before it."""
    size = draw(st.integers(1, 12))
    return {str(i): [str(j) for j in range(i) if draw(st.booleans())] for i in range(size)}


class Simulation:
    """Runs a graph to its end with the engine, loading no more of it than the engine asks for."""

    def __init__(self, depends_on: Edges) -> None:
        self.dependents: Edges = {name: [n for n, needs in depends_on.items() if name in needs] for name in depends_on}
        self.waiting = {name: Waiting(len(needs)) for name, needs in depends_on.items()}
        self.ready: list[str] = []
        self.skipped: set[str] = set()
        self.ended: dict[str, bool] = {}
        self.take(start(Region({n: w for n, w in self.waiting.items() if not w.waiting_on}, {})))

    def end(self, name: str, succeeds: bool) -> None:
        self.ready.remove(name)
        self.ended[name] = succeeds
        status = StepStatus.SUCCESS if succeeds else StepStatus.FAILED
        self.explore({name: settlement_of(status)})

    def explore(self, settled: dict[str, Settlement]) -> None:
        below = {name: self.dependents[name] for name in settled}
        reached = {dependent: self.waiting[dependent] for names in below.values() for dependent in names}
        self.take(advance(settled, Region(reached, below)))

    def take(self, outcome: Advance) -> None:
        self.waiting.update(outcome.waiting)
        self.ready += outcome.ready
        self.skipped |= set(outcome.skipped)
        if outcome.unexplored:
            self.explore(outcome.unexplored)


@given(graphs(), st.data())
def test_every_step_ends_as_the_whole_graph_says(depends_on: Edges, choices: st.DataObject) -> None:
    simulation = Simulation(depends_on)
    while simulation.ready:
        name = choices.draw(st.sampled_from(sorted(simulation.ready)))
        assert all(simulation.ended.get(need) for need in depends_on[name]), "started before its dependencies succeeded"
        simulation.end(name, choices.draw(st.booleans()))
    oracle: nx.DiGraph[str] = nx.DiGraph((need, name) for name, needs in depends_on.items() for need in needs)
    oracle.add_nodes_from(depends_on)
    failed = {name for name, succeeded in simulation.ended.items() if not succeeded}
    below_failures = set().union(*(nx.descendants(oracle, name) for name in failed)) if failed else set()
    assert simulation.skipped == below_failures
    assert set(simulation.ended) | simulation.skipped == set(depends_on)


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
