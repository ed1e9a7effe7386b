"""Explores builds of every shape, and says how many worlds there were: `python -m tests.model` (or `make model`).

Each line is one size: builds of so many steps, of every shape, with so many losses in each story: runners that die,
that hand an attempt back, or whose lease runs out before they are done. Ends with 1 at the first broken promise.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.model.explore import Found, Violation, explore
from tests.model.plans import conditional, graphs
from tests.model.world import Plan


@dataclass(frozen=True)
class Size:
    """Which builds, and how much may befall each."""

    title: str
    plans: Callable[[int], Iterator[Plan]]
    steps: int
    losses: int

    def explore(self) -> tuple[int, Found]:
        """How many plans there are, and all their worlds."""
        plans = list(self.plans(self.steps))
        found = [explore(plan, self.losses) for plan in plans]
        return len(plans), Found(sum(each.worlds for each in found), sum(each.moves for each in found))


PLAIN, CONDITIONAL = "every shape", "every shape, condition and allowed failure"
SMALL = (
    Size(PLAIN, graphs, 1, 3),
    Size(PLAIN, graphs, 2, 1),
    Size(PLAIN, graphs, 3, 0),
    Size(CONDITIONAL, conditional, 2, 0),
)
WHOLE = (
    Size(PLAIN, graphs, 1, 4),
    Size(PLAIN, graphs, 2, 3),
    Size(PLAIN, graphs, 3, 2),
    Size(PLAIN, graphs, 4, 1),
    Size(CONDITIONAL, conditional, 2, 2),
    Size(CONDITIONAL, conditional, 3, 0),
)


def main() -> int:
    """Explore the whole, a line per size as it is done."""
    total = Found()
    for size in WHOLE:
        began = time.monotonic()
        try:
            count, found = size.explore()
        except Violation as violation:
            print(f"BROKEN: {violation}")
            return 1
        took_s = time.monotonic() - began
        print(
            f"{size.steps} steps, {size.title}, {size.losses} losses: {count:,} builds,"
            f" {found.worlds:,} worlds, {found.moves:,} moves, no promise broken, {took_s:.0f} s",
            flush=True,
        )
        total = Found(total.worlds + found.worlds, total.moves + found.moves)
    print(f"in all {total.worlds:,} worlds and {total.moves:,} moves, 2 orchestrators, 2 runners, 0 violations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
