"""Visits every world that can be reached, and looks for one that breaks a promise or from which no end is left."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.domain.errors import IllegalMove
from tests.model.invariants import broken_by, broken_in
from tests.model.moves import Move, moves
from tests.model.world import Plan, World, beginning


class Violation(Exception):
    """A promise is broken; the text is the way there, move by move."""


@dataclass
class Found:
    """How many worlds there are, and how many moves between them."""

    worlds: int = 0
    moves: int = 0


@dataclass
class Exploration:
    """One plan's worlds. For each, where it was first reached from, for the telling; and its predecessors."""

    plan: Plan
    came_from: dict[World, tuple[World, str] | None] = field(default_factory=dict)
    before: dict[World, list[World]] = field(default_factory=dict)
    ends: list[World] = field(default_factory=list)

    def moves(self, world: World) -> Iterator[Move]:
        try:
            yield from moves(self.plan, world)
        except IllegalMove as illegal:
            raise Violation(f"{illegal}: after {self.way_to(world)} on {self.plan}") from illegal

    def way_to(self, world: World) -> list[str]:
        way: list[str] = []
        here: World | None = world
        while here is not None and (step := self.came_from[here]):
            here, name = step
            way.append(name)
        return way[::-1]


def explore(plan: Plan, losses: int) -> Found:
    """Every world that the plan's build can get into with so many losses: runners that die, hand back or come late.

    Raises Violation for a promise broken by a move, and for a world from which the build can never end.
    """
    exploration, found = Exploration(plan), Found()
    first = beginning(plan, losses)
    exploration.came_from[first] = None
    queue = deque([first])
    while queue:
        world = queue.popleft()
        found.worlds += 1
        for name, reached in exploration.moves(world):
            found.moves += 1
            is_new = reached not in exploration.came_from
            if promise := broken_by(plan, world, reached) or (broken_in(plan, reached) if is_new else None):
                raise Violation(f"{promise}: {[*exploration.way_to(world), name]} on {plan}")
            exploration.before.setdefault(reached, []).append(world)
            if is_new:
                exploration.came_from[reached] = (world, name)
                queue.append(reached)
        if world.status.is_final:
            exploration.ends.append(world)
    _all_can_end(exploration)
    return found


def _all_can_end(exploration: Exploration) -> None:
    ending = set(exploration.ends)
    queue = deque(exploration.ends)
    while queue:
        for earlier in exploration.before.get(queue.popleft(), ()):
            if earlier not in ending:
                ending.add(earlier)
                queue.append(earlier)
    for world in exploration.came_from:
        if world not in ending:
            raise Violation(f"the build can never end: {exploration.way_to(world)} on {exploration.plan}")
