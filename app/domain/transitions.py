"""The state machine of a step run and of a build, each as one table.

Two rules hold for every row:

1. A final status has no way out.
2. A move that is not in the table is an error, never a default.

Services ask `move` and `move_build` for the next status and write it guarded on the one they asked about.
`docs/state-machine.md` is generated from these tables by `python -m docs.state_machine`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from app.domain.errors import IllegalMove
from app.domain.vocabulary import BuildStatus, StepStatus, Word


class StepEvent(Word):
    """What can happen to a step run."""

    RELEASE = "release", "its last dependency settled and its condition holds"
    SKIP = "skip", "its last dependency settled and its condition does not hold"
    CLAIM = "claim", "a runner takes the current attempt"
    SUCCEED = "succeed", "the runner reports success"
    FAIL = "fail", "the attempt failed and no other is allowed"
    RETRY = "retry", "the attempt failed and the next one may start"
    CANCEL = "cancel", "somebody asked for it to stop"


class BuildEvent(Word):
    """What can happen to a build."""

    START = "start", "its first step starts"
    PASS = "pass", "its last step run became final, and nothing fails the build"
    FAIL = "fail", "its last step run became final, and something fails the build"


STEP_MOVES: Mapping[tuple[StepStatus, StepEvent], StepStatus] = MappingProxyType(
    {
        (StepStatus.PENDING, StepEvent.RELEASE): StepStatus.READY,
        (StepStatus.PENDING, StepEvent.SKIP): StepStatus.SKIPPED,
        (StepStatus.PENDING, StepEvent.CANCEL): StepStatus.CANCELLED,
        (StepStatus.READY, StepEvent.CLAIM): StepStatus.RUNNING,
        (StepStatus.READY, StepEvent.CANCEL): StepStatus.CANCELLED,
        (StepStatus.RUNNING, StepEvent.SUCCEED): StepStatus.SUCCESS,
        (StepStatus.RUNNING, StepEvent.FAIL): StepStatus.FAILED,
        (StepStatus.RUNNING, StepEvent.RETRY): StepStatus.READY,
        (StepStatus.RUNNING, StepEvent.CANCEL): StepStatus.CANCELLED,
    }
)

BUILD_MOVES: Mapping[tuple[BuildStatus, BuildEvent], BuildStatus] = MappingProxyType(
    {
        (BuildStatus.PENDING, BuildEvent.START): BuildStatus.RUNNING,
        (BuildStatus.PENDING, BuildEvent.PASS): BuildStatus.SUCCESS,
        (BuildStatus.PENDING, BuildEvent.FAIL): BuildStatus.FAILED,
        (BuildStatus.RUNNING, BuildEvent.PASS): BuildStatus.SUCCESS,
        (BuildStatus.RUNNING, BuildEvent.FAIL): BuildStatus.FAILED,
    }
)


def move(status: StepStatus, event: StepEvent) -> StepStatus:
    """The status a step run has after the event; IllegalMove where the table has no such row."""
    try:
        return STEP_MOVES[status, event]
    except KeyError:
        raise IllegalMove(f"a step run that is {status} cannot {event}") from None


def move_build(status: BuildStatus, event: BuildEvent) -> BuildStatus:
    """The status a build has after the event; IllegalMove where the table has no such row."""
    try:
        return BUILD_MOVES[status, event]
    except KeyError:
        raise IllegalMove(f"a build that is {status} cannot {event}") from None
