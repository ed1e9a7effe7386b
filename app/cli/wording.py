"""How the commands put things: durations, ages, statuses and untrusted text, the same everywhere.

Whatever comes from a build (names, branches, messages, logs) passes `printable` before it reaches a terminal, so that
no build can move the cursor or retitle the window.
"""

import os
import re
from datetime import datetime

from app.cli.answers import Build, StepRun
from app.domain.vocabulary import Reason, StepStatus

GLYPHS: dict[str, str] = {
    StepStatus.PENDING: "·",
    StepStatus.READY: "○",
    StepStatus.RUNNING: "●",
    StepStatus.SUCCESS: "✓",
    StepStatus.FAILED: "✗",
    StepStatus.SKIPPED: "–",
    StepStatus.CANCELLED: "■",
}
STYLES: dict[str, str] = {
    StepStatus.PENDING: "dim",
    StepStatus.READY: "yellow",
    StepStatus.RUNNING: "cyan",
    StepStatus.SUCCESS: "green",
    StepStatus.FAILED: "bold red",
    StepStatus.SKIPPED: "dim",
    StepStatus.CANCELLED: "yellow",
}
REASON_WORDS: dict[str | None, str] = {
    Reason.EXIT: "exit",
    Reason.TIMEOUT: "time limit reached",
    Reason.LOST: "its runner was lost",
    Reason.CANCELLED: "cancelled",
    Reason.DEPENDENCY: "a step before it failed",
    Reason.CONDITION: "its runIf condition does not hold",
    Reason.CONFIG: "cannot be set up, see its log",
    Reason.REUSED: "result reused",
}
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
SHORT_COMMIT = 7
SHORT_BUILD = len("01a20f0c-deac")
"""The part of an id that is its time: builds of one millisecond have the same."""
RUNNER_WAIT_S = 5.0
"""A free runner takes a step in less, unless a message was lost."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text without terminal control: escape sequences and control characters go, tabs and line ends stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def writable(name: str) -> str:
    """A name from the file system as text that can be sent: bytes that are no UTF-8 become question marks."""
    return os.fsencode(name).decode(errors="replace")


def one_line(text: str) -> str:
    return " ".join(printable(text).split())


def duration(seconds: float) -> str:
    """`0.4 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`."""
    seconds = round(seconds, 1)
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s"
    if seconds < HOUR_S:
        return f"{int(seconds // MINUTE_S)} min {int(seconds % MINUTE_S):02} s"
    return f"{int(seconds // HOUR_S)} h {int(seconds % HOUR_S // MINUTE_S):02} min"


def cropped(text: str, width: int) -> str:
    """The text in one line of at most that width; what does not fit gives way to an ellipsis."""
    line = one_line(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def age(moment: datetime, now: datetime) -> str:
    """How long ago, in the one unit that matters."""
    seconds = max(0.0, (now - moment).total_seconds())
    for unit_s, word in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {word} ago"
    return f"{int(seconds)} s ago"


def why(step: StepRun) -> str:
    """What the status alone does not say of a step run; empty where there is nothing to add."""
    words = REASON_WORDS.get(step.reason or "", one_line(step.reason or ""))
    if step.exit_code and step.reason in (None, Reason.EXIT):
        words = f"exit {step.exit_code}"
    tries = f"attempt {step.attempt}" if step.attempt > 1 else ""
    return ", ".join(part for part in (words, tries) if part)


def short_id(build_id: str) -> str:
    return build_id[:SHORT_BUILD]


def waiting(build: Build, now: datetime) -> dict[str, str]:
    """By pool, what to say of a step that no runner has taken for a while, although the build keeps none busy."""
    busy = {step.pool for step in build.steps if step.status == StepStatus.RUNNING}
    told: dict[str, str] = {}
    for step in build.steps:
        if step.status == StepStatus.READY and step.ready_at and step.pool and step.pool not in busy:
            waited_s = (now - step.ready_at).total_seconds()
            if waited_s >= RUNNER_WAIT_S:
                told.setdefault(step.pool, _not_taken(step.name, step.pool, waited_s))
    return told


def _not_taken(step: str, pool: str, waited_s: float) -> str:
    waits = f"{one_line(step)!r} has waited {duration(waited_s)} for a runner of pool {pool}"
    return f"{waits}, and none has taken it: they are busy, or there are none"


def origin(build: Build) -> str:
    """`main@1a2b3c4 Parse ISO durations`, or as much of it as the build has."""
    commit = (build.commit_hash or "")[:SHORT_COMMIT]
    where = "@".join(part for part in (one_line(build.branch or ""), commit) if part)
    return " ".join(part for part in (where, one_line(build.commit_message or "")) if part)
