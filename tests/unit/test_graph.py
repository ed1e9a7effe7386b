"""Which step graphs are refused, and how that is said."""

from collections.abc import Iterable
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.graph import GraphLimits, Node, graph_faults

LARGE = 10_000
LAYER = 100
LIMITS = GraphLimits(max_steps=10_000, max_edges=100_000)


def faults(*nodes: Node) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in graph_faults(nodes, LIMITS)]


def test_a_diamond_is_fine() -> None:
    assert faults(Node("d", ["b", "c"]), Node("b", ["a"]), Node("c", ["a"]), Node("a", [])) == []


def test_each_fault_says_where_it_is() -> None:
    nodes = (Node("a", ["a"]), Node("b", ["a", "nope"]), Node("a", []))
    assert faults(*nodes) == [
        ("steps[2].name", "duplicate_name"),
        ("steps[0].dependsOn[0]", "self_dependency"),
        ("steps[1].dependsOn[1]", "unknown_dependency"),
    ]


def test_an_unknown_name_is_answered_with_the_one_that_was_meant() -> None:
    (fault,) = graph_faults([Node("compile", []), Node("test", ["complie"])], LIMITS)
    assert fault.message == "there is no step called 'complie'; did you mean 'compile'?"


def test_a_cycle_is_spelled_out_in_the_order_of_dependence() -> None:
    (fault,) = graph_faults([Node("a", ["b"]), Node("b", ["c"]), Node("c", ["a"])], LIMITS)
    assert fault.code == "cycle"
    around = fault.message.rpartition(": ")[2].split(" → ")
    depends_on = {"a": "b", "b": "c", "c": "a"}
    assert around[0] == around[-1]
    assert all(depends_on[step] == following for step, following in pairwise(around))


@given(st.lists(st.lists(st.integers(0, 7), unique=True, max_size=3), min_size=8, max_size=8))
def test_a_graph_is_refused_exactly_when_it_has_a_cycle(needs: list[list[int]]) -> None:
    nodes = [Node(str(i), [str(j) for j in need if j != i]) for i, need in enumerate(needs)]
    oracle: nx.DiGraph[str] = nx.DiGraph((name, node.name) for node in nodes for name in node.depends_on)
    assert bool(faults(*nodes)) == (not nx.is_directed_acyclic_graph(oracle))


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.lists(st.sampled_from("abcdex"), max_size=3)), max_size=6))
def test_every_fault_of_names_is_found_and_nothing_else(posted: list[tuple[str, list[str]]]) -> None:
    nodes = [Node(name, needs) for name, needs in posted]
    names = [node.name for node in nodes]
    edges: nx.DiGraph[str] = nx.DiGraph((need, node.name) for node in nodes for need in node.depends_on)
    wrong = {f"steps[{i}].name" for i, name in enumerate(names) if name in names[:i]}
    wrong |= {
        f"steps[{i}].dependsOn[{j}]"
        for i, node in enumerate(nodes)
        for j, need in enumerate(node.depends_on)
        if need == node.name or need not in names
    }
    found = faults(*nodes)
    assert {path for path, code in found if code != "cycle"} == wrong
    edges.remove_edges_from(list(nx.selfloop_edges(edges)))
    unique = len(set(names)) == len(names)
    assert any(code == "cycle" for _, code in found) == (unique and not nx.is_directed_acyclic_graph(edges))


@pytest.mark.parametrize("shape", ["chain", "fan", "layers"])
def test_ten_thousand_steps_need_no_recursion(shape: str) -> None:
    assert faults(*(Node(str(i), [str(need) for need in needs(shape, i)]) for i in range(LARGE))) == []


def needs(shape: str, i: int) -> Iterable[int]:
    """What step `i` of a large graph depends on: the one before; the ends of a fan; ten of the layer before."""
    if i == 0 or (shape == "layers" and i < LAYER):
        return []
    if shape == "chain":
        return [i - 1]
    if shape == "fan":
        return [0] if i < LARGE - 1 else range(1, LARGE - 1)
    return [(i // LAYER - 1) * LAYER + (i + j) % LAYER for j in range(10)]


def test_a_graph_over_the_limits_is_refused_before_it_is_looked_at() -> None:
    (fault,) = graph_faults([Node("a", ["b"]), Node("b", ["a"])], GraphLimits(max_steps=1, max_edges=2))
    assert fault.code == "too_many_steps"


@pytest.mark.parametrize(("max_edges", "codes"), [(2, []), (1, ["too_many_dependencies"])])
def test_every_name_in_every_list_of_dependencies_counts(max_edges: int, codes: list[str]) -> None:
    found = graph_faults([Node("a", []), Node("b", ["a", "a"])], GraphLimits(2, max_edges))
    assert [fault.code for fault in found] == codes
