"""Random builds: graphs, steps that take their time, some that fail, and a script that keeps the ledger."""

import random
from dataclasses import dataclass
from typing import Any

MOST_STEPS = 10
EDGE_SHARE = 0.35
FAILING_SHARE = 0.08
LONGEST_S = 2.0
LOSSES_ALLOWED = 10
"""Retries for a lost runner: a storm kills the same step's runner more often than a step is to blame for."""
COUNTED = 20_000
"""So far a step that prints counts, one number a line: no two places of what it prints look alike."""


@dataclass(frozen=True)
class StepPlan:
    """What a step does: it takes so long, prints so many bytes, and then succeeds or fails."""

    name: str
    depends_on: tuple[str, ...]
    seconds: float
    printed_bytes: int
    fails: bool

    def printed(self) -> bytes:
        """What its script prints, byte for byte."""
        return "".join(f"{number}\n" for number in range(1, COUNTED + 1)).encode()[: self.printed_bytes]


@dataclass(frozen=True)
class BuildPlan:
    """A build, by its number in the storm."""

    number: int
    steps: tuple[StepPlan, ...]

    def expected(self) -> dict[str, str]:
        """How every step run has to end, whatever happens meanwhile."""
        ends: dict[str, str] = {}
        for step in self.steps:
            held_up = any(ends[name] != "SUCCESS" for name in step.depends_on)
            ends[step.name] = "SKIPPED" if held_up else "FAILED" if step.fails else "SUCCESS"
        return ends

    def expected_status(self) -> str:
        return "FAILED" if "FAILED" in self.expected().values() else "SUCCESS"


@dataclass(frozen=True)
class Script:
    """What a step's script writes, as text of bash: one line per event, each in one write, so that none is torn."""

    ledger: str
    step: StepPlan

    def text(self) -> str:
        """The beat in between shows how long the attempt's processes really lived."""
        ticks = max(1, round(self.step.seconds / 0.1))
        return "\n".join(
            [
                f'say() {{ echo "$1 $STEP_NAME $STEP_ATTEMPT $EPOCHREALTIME" >> "{self.ledger}/$BUILD_ID"; }}',
                "say start",
                "exec {idle}<> <(:)",  # nobody writes there: a wait that starts no program
                f'for i in $(seq {ticks}); do read -rt 0.1 -u "$idle" || :; say beat; done',
                f"head -c {self.step.printed_bytes} <(seq {COUNTED})",  # no pipe, whose first part would fail
                "say end",
                "exit 3" if self.step.fails else "exit 0",
            ]
        )


def draw(rng: random.Random, count: int) -> list[BuildPlan]:
    """So many builds; the same generator gives the same ones."""
    return [BuildPlan(number, _steps(rng)) for number in range(count)]


def _steps(rng: random.Random) -> tuple[StepPlan, ...]:
    names = [f"s{number}" for number in range(rng.randint(2, MOST_STEPS))]
    return tuple(
        StepPlan(
            name,
            tuple(earlier for earlier in names[:index] if rng.random() < EDGE_SHARE),
            round(rng.uniform(0, LONGEST_S), 1),
            rng.choice((0, 10, 1_000, 100_000)),
            rng.random() < FAILING_SHARE,
        )
        for index, name in enumerate(names)
    )


def posted(plan: BuildPlan, ledger: str) -> list[dict[str, Any]]:
    """The workflow's steps as the API takes them."""
    return [
        {
            "name": step.name,
            "imageSlug": "chaos",
            "dependsOn": list(step.depends_on),
            "runScript": Script(ledger, step).text(),
            "cacheDirs": [],
            "outputPaths": [],
            "retries": {"limit": LOSSES_ALLOWED, "reasons": ["lost"]},
        }
        for step in plan.steps
    ]
