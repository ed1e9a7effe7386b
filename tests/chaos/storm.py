"""A storm: which fault strikes what, and when. Drawn from a seed alone, so the same seed is the same storm."""

import random
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """What can happen. The value says it in the report."""

    KILL = "SIGKILL of a program"
    TERM = "SIGTERM of a program"
    STOP = "SIGSTOP of a program, then SIGCONT"
    FLUSH = "Redis emptied (FLUSHALL)"
    REDIS_RESTART = "Redis restarted"
    REDIS_FREEZE = "Redis frozen, then going on"
    DATABASE_RESTART = "PostgreSQL restarted"
    DATABASE_FREEZE = "PostgreSQL frozen, then going on"
    DROP = "messages dropped"
    DOUBLE = "messages doubled"
    DELAY = "messages held back, then put back"
    LOSE_ANSWERS = "answers of the API to runners lost"
    PARTITION = "runners cut off from the API"


WEIGHTS = {
    Fault.KILL: 40,
    Fault.TERM: 8,
    Fault.STOP: 8,
    Fault.FLUSH: 6,
    Fault.REDIS_RESTART: 3,
    Fault.REDIS_FREEZE: 3,
    Fault.DATABASE_RESTART: 3,
    Fault.DATABASE_FREEZE: 2,
    Fault.DROP: 7,
    Fault.DOUBLE: 7,
    Fault.DELAY: 5,
    Fault.LOSE_ANSWERS: 5,
    Fault.PARTITION: 3,
}
"""How often each comes, relative to the others. Kills come most, as they are what plain Celery loses tasks by."""
PROGRAMS = ("api", "orchestrator", "orchestrator", "runner", "runner", "runner")
"""Each place as often as any other: one that starts over and over does nothing that a kill could disturb."""
LONGEST_S = {
    Fault.STOP: 12.0,
    Fault.REDIS_FREEZE: 6.0,
    Fault.DATABASE_FREEZE: 6.0,
    Fault.DELAY: 5.0,
    Fault.PARTITION: 9.0,
}
"""Of faults that last, the longest; stops and partitions outlast a lease, so that it runs out."""
CALM_S = (0.1, 1.2)
"""Between one fault and the next."""


@dataclass(frozen=True)
class Strike:
    """One fault: when, counted from the start; for how long, where it lasts; and which program, where it hits one."""

    at_s: float
    fault: Fault
    lasts_s: float = 0.0
    role: str = ""
    number: int = 0


def draw(rng: random.Random, seconds: float, on_postgresql: bool, kills: int = 1, calm: float = 1.0) -> list[Strike]:
    """Faults for so long, in the order of their times. So many times as many kills; the rest as often as ever.

    `calm` stretches the pauses between them all.
    """
    usual = {fault: weight for fault, weight in WEIGHTS.items() if on_postgresql or "PostgreSQL" not in fault.value}
    weights = {**usual, Fault.KILL: kills * usual[Fault.KILL]}
    haste = sum(weights.values()) / sum(usual.values())
    strikes: list[Strike] = []
    at_s = 0.0
    while (at_s := at_s + calm * rng.uniform(*CALM_S) / haste) < seconds:
        (fault,) = rng.choices(list(weights), list(weights.values()))
        lasts_s = round(rng.uniform(0.5, LONGEST_S[fault]), 2) if fault in LONGEST_S else 0.0
        strikes.append(Strike(round(at_s, 2), fault, lasts_s, rng.choice(PROGRAMS), rng.randrange(64)))
    return strikes
