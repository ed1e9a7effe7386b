"""All graphs of so many steps, one of each kind that are the same but for their steps' order."""

from collections.abc import Iterator
from itertools import combinations, permutations, product

from app.domain.vocabulary import RunIf
from tests.model.world import Plan

Edges = frozenset[tuple[int, int]]


def graphs(steps: int) -> Iterator[Plan]:
    """Every DAG, steps in an order in which they can run."""
    seen: set[tuple[tuple[int, int], ...]] = set()
    pairs = list(combinations(range(steps), 2))
    for chosen in product((False, True), repeat=len(pairs)):
        edges = frozenset(pair for pair, there in zip(pairs, chosen, strict=True) if there)
        kind = _kind(edges, steps)
        if kind not in seen:
            seen.add(kind)
            yield Plan(tuple(tuple(a for a, b in sorted(edges) if b == step) for step in range(steps)))


def conditional(steps: int) -> Iterator[Plan]:
    """Every DAG with every choice of conditions and allowed failures; those of roots other than `success` apart."""
    for plan in graphs(steps):
        choices = [tuple(RunIf) if needed else (RunIf.SUCCESS,) for needed in plan.depends_on]
        for run_if in product(*choices):
            for allow_failure in product((False, True), repeat=steps):
                yield Plan(plan.depends_on, run_if, allow_failure)


def _kind(edges: Edges, steps: int) -> tuple[tuple[int, int], ...]:
    """The same for graphs that differ in their steps' names alone."""
    return min(tuple(sorted((order[a], order[b]) for a, b in edges)) for order in permutations(range(steps)))
