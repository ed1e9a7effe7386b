"""The judge: what must be true of every build, by what the steps wrote and by what the server says.

Each invariant is a function that yields what is wrong, as sentences that name the step. `JUDGED` names them all;
`UNJUDGED` those that wait for something to judge.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos import logs
from tests.chaos.history import BUILD, History
from tests.chaos.ledger import Life
from tests.chaos.plans import BuildPlan

OVERLAP_S = 1.0
"""The grace of a lease's end: the old attempt's processes die this long after the next may start, at the latest."""


@dataclass(frozen=True)
class Evidence:
    """Everything known of one build; `seen`: its statuses and its steps' when it was first seen final."""

    plan: BuildPlan
    history: History
    lives: dict[tuple[str, int], Life]
    seen: Mapping[str, str] = field(default_factory=dict)

    def attempts(self, step: str) -> list[Life]:
        return sorted((life for (name, _), life in self.lives.items() if name == step), key=lambda life: life.attempt)


FINAL = ("SUCCESS", "FAILED", "SKIPPED")
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


def follows_from_steps(evidence: Evidence) -> Iterator[str]:
    """The build's status is a function of its steps' and of nothing else."""
    status, *others = evidence.history.statuses().values()
    made = "SUCCESS" if not {"FAILED", "SKIPPED"} & {*others} else "FAILED"
    if status in FINAL and (status != made or not {*others} <= {*FINAL}):
        yield f"the build is {status}, its steps {others}"


def final_stays(evidence: Evidence) -> Iterator[str]:
    """Neither by what was seen during the storm nor by the trail does a final status become another."""
    now = evidence.history.statuses()
    for name, status in evidence.seen.items():
        if now[name] != status:
            yield f"{name or 'the build'} was {status} and became {now[name]}"
    for name, moves in evidence.history.moves.items():
        for move in moves:
            if move["before"] in FINAL:
                yield f"{name or 'the build'} moved from {move['before']} to {move['after']}"


def really_ran(evidence: Evidence) -> Iterator[str]:
    """What the server calls done was done."""
    for name, attempts in evidence.history.attempts.items():
        life = evidence.lives.get((name, len(attempts)))
        if evidence.history.steps[name]["status"] == "SUCCESS" and (life is None or not life.ended):
            yield f"{name}: SUCCESS, but its last attempt never came to its end"


def whole_log(evidence: Evidence) -> Iterator[str]:
    """Every attempt's log is what its script printed; the last one's has all of it, up to the cap."""
    for step in evidence.plan.steps:
        for number, log in enumerate(found := evidence.history.logs[step.name], 1):
            done = evidence.history.steps[step.name]["status"] in ("SUCCESS", "FAILED")
            if wrong := logs.fault(log, step.printed(), is_whole=done and number == len(found)):
                yield f"{step.name}: attempt {number}: {wrong}"


def one_entry_per_move(evidence: Evidence) -> Iterator[str]:
    """The entries of each step and of the build are one way from PENDING to where it is now; a claim, an attempt."""
    for name, status in evidence.history.statuses().items():
        moves = evidence.history.moves[name]
        way = [move["before"] for move in moves] + [status]
        if way[0] != "PENDING" or way[1:] != [move["after"] for move in moves]:
            yield f"{name or 'the build'}: {status} now, the trail has {[(m['before'], m['after']) for m in moves]}"
        claims = sum(move["before"] == "READY" for move in moves)
        if name != BUILD and claims != len(evidence.history.attempts[name]):
            yield f"{name}: {len(evidence.history.attempts[name])} attempts, but {claims} claims in the trail"


JUDGED: dict[str, Judgement] = {
    "every build ends": ends,
    "a step has at most one accepted result": one_result,
    "an attempt starts at most once": starts_once,
    "attempts of a step do not overlap": apart,
    "a step starts after what it depends on": in_order,
    "a step ends as its script and what it depends on say": judged_rightly,
    "a build is what its steps make of it": follows_from_steps,
    "what is final stays": final_stays,
    "what is called done was done": really_ran,
    "the log has every byte up to the cap": whole_log,
    "one audit entry per move": one_entry_per_move,
}
UNJUDGED = {"nothing starts after a cancel": "no build can be cancelled yet"}


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """What is wrong, by the invariant that it breaks; empty where all is well."""
    found = {name: list(judgement(evidence)) for name, judgement in JUDGED.items()}
    return {name: wrongs for name, wrongs in found.items() if wrongs}
