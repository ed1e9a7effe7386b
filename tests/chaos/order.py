"""What is asked for: the same order is the same builds and the same storm, for ours and for the control."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos import plans, storm
from tests.chaos.plans import BuildPlan
from tests.chaos.storm import Strike

SETTLING_S = 60.0
"""After the last fault every build has so long to end, unless more is allowed."""
POSTED_BY = 0.8
"""The last build is posted after this share of the storm, so that it too sees some of it."""

ENDLESS_S = 86_400.0
"""A storm that ends when it is told to."""


@dataclass(frozen=True)
class Order:
    """`kills`: so many times as many SIGKILLs as usual; with more `runners` each has time to start in between.

    `calm`: so many times as long between one fault and the next; with that, and more `slots` of each runner, there is
    room for many builds. `most_open`: each build is posted as soon as fewer than so many are open, and not at a time of
    its own; faults come until the last is posted, and `seconds` says nothing. So the machine decides how long it takes.
    """

    seed: int
    builds: int
    seconds: float
    on_postgresql: bool = True
    kills: int = 1
    runners: int = 3
    slots: int = 2
    calm: float = 1.0
    most_open: int | None = None
    settling_s: float = SETTLING_S

    def strikes(self) -> list[Strike]:
        """The storm."""
        seconds = self.seconds if self.most_open is None else ENDLESS_S
        return storm.draw(random.Random(self.seed), seconds, self.on_postgresql, self.kills, self.calm)

    def drawn(self) -> list[BuildPlan]:
        """The builds."""
        return plans.draw(random.Random(self.seed + 1), self.builds)

    def paced(self) -> Iterator[BuildPlan]:
        """The builds, each when it is due, counted from the first."""
        began = time.monotonic()
        for plan in self.drawn():
            due = began + POSTED_BY * self.seconds * plan.number / self.builds
            time.sleep(max(0.0, due - time.monotonic()))
            yield plan
