"""Hints: what a unit of work leaves behind for whoever should look at a build next.

A hint is sent only after the commit and may be lost, doubled or late: the sweep finds the same work in the rows.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

_KEY = "hints"


@dataclass(frozen=True)
class Hint:
    """The name of the task that should look, and the build it should look at."""

    task: str
    build_id: str


PLAN = "builds.plan"
DISPATCH = "builds.dispatch"


def hint(session: Session, task: str, build_id: str) -> None:
    """Leave a hint with the unit of work; the same one twice counts once."""
    session.info.setdefault(_KEY, {})[Hint(task, build_id)] = None


def hints_of(session: Session) -> list[Hint]:
    """The hints left so far, in order."""
    return list(session.info.get(_KEY, {}))
