"""The judge: what must be true of every build, by what the steps wrote and by what the server says.

Each invariant is a function that yields what is wrong, as sentences that name the step. `JUDGED` names them all.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.history import History
from tests.chaos.ledger import Life
from tests.chaos.plans import BuildPlan

OVERLAP_S = 1.0
"""The grace of a lease's end: the old attempt's processes die this long after the next may start, at the latest."""


@dataclass(frozen=True)
class Evidence:
    """Everything known of one build."""

    plan: BuildPlan
    history: History
    lives: dict[tuple[str, int], Life]

    def attempts(self, step: str) -> list[Life]:
        return sorted((life for (name, _), life in self.lives.items() if name == step), key=lambda life: life.attempt)


Judgement = Callable[[Evidence], Iterator[str]]


def ends(evidence: Evidence) -> Iterator[str]:
    build = evidence.history.build
    if build["status"] not in ("SUCCESS", "FAILED"):
        yield f"the build is {build['status']}"


def one_result(evidence: Evidence) -> Iterator[str]:
    """A success is the last attempt, and the only one that is no failure."""
    for name, attempts in evidence.history.attempts.items():
        statuses = [attempt["status"] for attempt in attempts]
        if "SUCCESS" in statuses[:-1] or statuses.count("RUNNING") > 0:
            yield f"{name}: attempts {statuses}"
        final = evidence.history.steps[name]["status"]
        if final in ("SUCCESS", "FAILED") and statuses and statuses[-1] != final:
            yield f"{name}: {final}, but its last attempt {statuses[-1]}"


def starts_once(evidence: Evidence) -> Iterator[str]:
    for life in evidence.lives.values():
        if len(life.starts) > 1:
            yield f"{life.step}: attempt {life.attempt} started {len(life.starts)} times"


def apart(evidence: Evidence) -> Iterator[str]:
    for step in evidence.plan.steps:
        attempts = evidence.attempts(step.name)
        for older, newer in pairwise(attempts):
            if newer.starts and older.last > newer.starts[0] + OVERLAP_S:
                yield f"{step.name}: attempt {older.attempt} lived {older.last - newer.starts[0]:.2f} s into the next"


def in_order(evidence: Evidence) -> Iterator[str]:
    """A step starts only when all it depends on came to an accepted end, which is that of a last attempt."""
    for step in evidence.plan.steps:
        begun = [life.starts[0] for life in evidence.attempts(step.name) if life.starts]
        for needed in step.depends_on:
            accepted = evidence.lives.get((needed, len(evidence.history.attempts[needed])))
            if begun and (accepted is None or accepted.last > min(begun)):
                yield f"{step.name} started before {needed} had ended"


def judged_rightly(evidence: Evidence) -> Iterator[str]:
    """Nobody but the script decides how a step ends."""
    for name, expected in evidence.plan.expected().items():
        step = evidence.history.steps[name]
        if step["status"] != expected or (expected == "FAILED" and step.get("reason") != "exit"):
            yield f"{name}: {step['status']} ({step.get('reason')}), not {expected}"
    if evidence.history.build["status"] != evidence.plan.expected_status():
        yield f"the build is {evidence.history.build['status']}, not {evidence.plan.expected_status()}"


def really_ran(evidence: Evidence) -> Iterator[str]:
    """What the server calls done was done."""
    for name, attempts in evidence.history.attempts.items():
        life = evidence.lives.get((name, len(attempts)))
        if evidence.history.steps[name]["status"] == "SUCCESS" and (life is None or not life.ended):
            yield f"{name}: SUCCESS, but its last attempt never came to its end"


def whole_log(evidence: Evidence) -> Iterator[str]:
    for step in evidence.plan.steps:
        if evidence.history.steps[step.name]["status"] in ("SUCCESS", "FAILED"):
            size = evidence.history.log_bytes[step.name]
            if size < step.printed_bytes or size > step.printed_bytes + 400:
                yield f"{step.name}: printed {step.printed_bytes} bytes, the log has {size}"


def one_entry_per_move(evidence: Evidence) -> Iterator[str]:
    """The trail has each claim, each end and each final move once."""
    for name, moves in evidence.history.moves.items():
        counts = Counter((move["before"], move["after"]) for move in moves)
        attempts = len(evidence.history.attempts[name])
        claims = counts[("READY", "RUNNING")]
        ended = sum(n for (before, _), n in counts.items() if before == "RUNNING")
        finals = sum(n for (_, after), n in counts.items() if after in ("SUCCESS", "FAILED", "SKIPPED"))
        if (claims, ended, finals) != (attempts, attempts, 1):
            yield f"{name}: {attempts} attempts, but {claims} claims, {ended} ends, {finals} final moves in the trail"


JUDGED: dict[str, Judgement] = {
    "every build ends": ends,
    "a step has at most one accepted result": one_result,
    "an attempt starts at most once": starts_once,
    "attempts of a step do not overlap": apart,
    "a step starts after what it depends on": in_order,
    "a build is what its steps make of it": judged_rightly,
    "what is called done was done": really_ran,
    "the log has every byte": whole_log,
    "one audit entry per move": one_entry_per_move,
}


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """What is wrong, by the invariant that it breaks; empty where all is well."""
    found = {name: list(judgement(evidence)) for name, judgement in JUDGED.items()}
    return {name: wrongs for name, wrongs in found.items() if wrongs}
