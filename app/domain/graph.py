"""The step graph of a workflow: what makes one valid, and what each fault is called.

Linear in steps and edges and free of recursion, so that 10,000 steps in one chain are as good as in one layer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from app.domain.errors import Fault
from app.domain.suggestions import Suggestions


@dataclass(frozen=True)
class Node:
    """A step as the graph sees it."""

    name: str
    depends_on: Sequence[str]


@dataclass(frozen=True)
class GraphLimits:
    """How large a workflow may be; `max_edges` counts every name in every `dependsOn`."""

    max_steps: int
    max_edges: int


def graph_faults(nodes: Sequence[Node], limits: GraphLimits) -> list[Fault]:
    """Everything wrong with the graph, in the order of the steps; empty where it can be built.

    The first cycle found is spelled out; none is looked for where a name stands for two steps.
    """
    too_large = list(_size_faults(nodes, limits))
    if too_large:
        return too_large
    duplicates = list(_duplicate_faults(nodes))
    return [*duplicates, *_dependency_faults(nodes), *([] if duplicates else _cycle_faults(nodes))]


def _size_faults(nodes: Sequence[Node], limits: GraphLimits) -> Iterator[Fault]:
    edges = sum(len(node.depends_on) for node in nodes)
    if len(nodes) > limits.max_steps:
        yield Fault("steps", "too_many_steps", f"{len(nodes)} steps are more than the {limits.max_steps} allowed")
    if edges > limits.max_edges:
        yield Fault(
            "steps", "too_many_dependencies", f"{edges} dependencies are more than the {limits.max_edges} allowed"
        )


def _duplicate_faults(nodes: Sequence[Node]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, node in enumerate(nodes):
        if first.setdefault(node.name, index) != index:
            message = f"steps[{first[node.name]}] is already called '{node.name}'"
            yield Fault(f"steps[{index}].name", "duplicate_name", message)


def _dependency_faults(nodes: Sequence[Node]) -> Iterator[Fault]:
    names = dict.fromkeys(node.name for node in nodes)
    suggestions = Suggestions(names)
    for index, node in enumerate(nodes):
        for position, dependency in enumerate(node.depends_on):
            path = f"steps[{index}].dependsOn[{position}]"
            if dependency == node.name:
                yield Fault(path, "self_dependency", f"step '{node.name}' depends on itself")
            elif dependency not in names:
                yield Fault(path, "unknown_dependency", _unknown(dependency, suggestions))


def _unknown(dependency: str, suggestions: Suggestions) -> str:
    close = suggestions.close_to(dependency)
    hint = f"; did you mean '{close}'?" if close else ""
    return f"there is no step called '{dependency}'{hint}"


def _cycle_faults(nodes: Sequence[Node]) -> Iterator[Fault]:
    """What depends on itself has been told of already."""
    sorter = TopologicalSorter({node.name: [need for need in node.depends_on if need != node.name] for node in nodes})
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib names each step before the one that depends on it, and the first one again at the end.
        cycle: list[str] = list(reversed(error.args[1]))
        index = next(i for i, node in enumerate(nodes) if node.name == cycle[0])
        spelled = " → ".join(cycle)
        yield Fault(f"steps[{index}].dependsOn", "cycle", f"steps depend on each other in a circle: {spelled}")
