"""What a storm did to the steps, counted from the ledger alone and so in the same way for ours and for the control."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import pairwise
from typing import Any, Self

from tests.chaos.faults import Kill
from tests.chaos.invariants import OVERLAP_S
from tests.chaos.ledger import Life
from tests.chaos.plans import BuildPlan

SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


@dataclass
class Figures:
    """Steps that had to run, and of those: what went wrong, and how often. Each step counts once per line."""

    builds: int = 0
    never_ended: int = 0
    steps: int = 0
    lost: int = 0
    started_again: int = 0
    run_twice: int = 0
    overlapping: int = 0

    def add(self, other: Self) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


MEANING = {
    "builds": "builds",
    "never_ended": "builds that never ended",
    "steps": "steps that had to run",
    "lost": "lost: their script never came to its end",
    "started_again": "started more than once, as after a lost runner",
    "run_twice": "run twice: to the end more than once",
    "overlapping": "running twice at once",
}


def count(plan: BuildPlan, lives: Iterable[Life], has_ended: bool) -> Figures:
    """One build's."""
    found = Figures(builds=1, never_ended=0 if has_ended else 1)
    for name, expected in plan.expected().items():
        if expected != "SKIPPED":
            found.add(_of_step([life for life in lives if life.step == name]))
    return found


@dataclass(frozen=True)
class Recovery:
    """Seconds from the kill of a runner until the next attempt could start, and until it did."""

    released_s: float
    claimed_s: float


def recoveries(attempts: Iterable[list[Mapping[str, Any]]], kills: list[Kill]) -> Iterator[Recovery]:
    """One for every attempt that was lost by a kill and followed by another."""
    for tries in attempts:
        for lost, following in pairwise(tries):
            if lost.get("reason") == "lost" and (at := _killed(lost, kills)):
                released_s, claimed_s = _instant(lost["finishedAt"]) - at, _instant(following["startedAt"]) - at
                yield Recovery(round(released_s, 2), round(claimed_s, 2))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that so great a share of them does not exceed; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def spread(values: Iterable[float]) -> dict[str, float]:
    """The percentiles that a report has."""
    known = list(values)
    return {name: percentile(known, share) for name, share in SHARES.items()}


def _of_step(lives: list[Life]) -> Figures:
    lives.sort(key=lambda life: life.attempt)
    ends = sum(life.ended for life in lives)
    overlaps = any(newer.starts and older.last > newer.starts[0] + OVERLAP_S for older, newer in pairwise(lives))
    return Figures(
        steps=1,
        lost=int(ends == 0),
        started_again=int(sum(len(life.starts) for life in lives) > 1),
        run_twice=int(ends > 1),
        overlapping=int(overlaps),
    )


def _killed(attempt: Mapping[str, Any], kills: list[Kill]) -> float | None:
    began, ended = _instant(attempt["startedAt"]), _instant(attempt["finishedAt"])
    return next((kill.at for kill in kills if kill.place == attempt.get("runner") and began <= kill.at <= ended), None)


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
