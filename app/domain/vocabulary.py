"""The closed vocabularies: every status, reason and condition, each with its meaning.

The members' values are what the API shows and what the database stores; the constraints in `app.models` and the
diagram in `docs/state-machine.md` are made from these enums, so a word is added here and nowhere else.
"""

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """A vocabulary's member: its value, and a sentence that says what it means."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class StepStatus(Word):
    """Where a step run stands."""

    PENDING = "PENDING", "waits for the steps it depends on"
    READY = "READY", "may start; waits for a runner"
    RUNNING = "RUNNING", "a runner holds the lease on the current attempt"
    SUCCESS = "SUCCESS", "ended, and did what it should"
    FAILED = "FAILED", "ended without having done what it should"
    SKIPPED = "SKIPPED", "will not run, because of how what it depends on ended"
    CANCELLED = "CANCELLED", "stopped, or never started, because somebody asked for that"

    @property
    def is_final(self) -> bool:
        return self in FINAL_STEP_STATUSES


class BuildStatus(Word):
    """Where a build stands; the contract's four words, and no fifth."""

    PENDING = "PENDING", "no step has started"
    RUNNING = "RUNNING", "a step has started, and not every step run is final"
    SUCCESS = "SUCCESS", "every step run is final, and none of them fails the build"
    FAILED = "FAILED", "every step run is final, and the status reason says what went wrong first"

    @property
    def is_final(self) -> bool:
        return self in FINAL_BUILD_STATUSES


class AttemptStatus(Word):
    """Where one try of a step run stands."""

    RUNNING = "RUNNING", "the runner holds the lease"
    SUCCESS = "SUCCESS", "the runner reported success"
    FAILED = "FAILED", "the runner reported failure, or was not heard of any more"
    CANCELLED = "CANCELLED", "stopped because somebody asked for that"


class Reason(Word):
    """Why a step run or an attempt is in its status."""

    EXIT = "exit", "the script ended with another status than 0, or a declared output was missing"
    TIMEOUT = "timeout", "the time limit was reached"
    LOST = "lost", "the runner was not heard of before its lease ended, or gave the attempt back"
    CANCELLED = "cancelled", "somebody asked for it to stop"
    DEPENDENCY = "dependency", "a step it depends on did not succeed"
    CONDITION = "condition", "its runIf condition does not hold"
    CONFIG = "config", "what the step asks for cannot be had: a repository, a commit or an image"
    REUSED = "reused", "the result of an earlier run was taken over"


class RunIf(Word):
    """When a step may run, judged once every step it depends on is settled."""

    SUCCESS = "success", "everything it depends on passed"
    FAILURE = "failure", "something it depends on failed"
    ALWAYS = "always", "however what it depends on ended"


FINAL_STEP_STATUSES = frozenset({StepStatus.SUCCESS, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED})
FINAL_BUILD_STATUSES = frozenset({BuildStatus.SUCCESS, BuildStatus.FAILED})
