"""The state machine: exactly these moves, none out of a final status, and shown in the documentation as it is."""

from itertools import product

import pytest

from app.domain.errors import IllegalMove
from app.domain.transitions import BuildEvent, StepEvent, move, move_build
from app.domain.vocabulary import BuildStatus, StepStatus
from docs.state_machine import DOCUMENT, document

STEP_MOVES = """
    PENDING release READY
    PENDING skip SKIPPED
    PENDING cancel CANCELLED
    READY claim RUNNING
    READY cancel CANCELLED
    RUNNING succeed SUCCESS
    RUNNING fail FAILED
    RUNNING retry READY
    RUNNING cancel CANCELLED
"""
BUILD_MOVES = """
    PENDING start RUNNING
    PENDING pass SUCCESS
    PENDING fail FAILED
    RUNNING pass SUCCESS
    RUNNING fail FAILED
"""
"""As the semantics have it, written down a second time: a slip of the pen in the table is one here too, or shows."""


def moves(lines: str) -> dict[tuple[str, str], str]:
    return {(before, event): after for before, event, after in map(str.split, lines.strip().splitlines())}


@pytest.mark.parametrize(("status", "event"), [*product(StepStatus, StepEvent)])
def test_a_step_moves_as_the_semantics_say_or_not_at_all(status: StepStatus, event: StepEvent) -> None:
    after = moves(STEP_MOVES).get((status, event))
    if after:
        assert move(status, event) == after
    else:
        with pytest.raises(IllegalMove, match=f"a step run that is {status} cannot {event}"):
            move(status, event)


@pytest.mark.parametrize(("status", "event"), [*product(BuildStatus, BuildEvent)])
def test_a_build_moves_as_the_semantics_say_or_not_at_all(status: BuildStatus, event: BuildEvent) -> None:
    after = moves(BUILD_MOVES).get((status, event))
    if after:
        assert move_build(status, event) == after
    else:
        with pytest.raises(IllegalMove, match=f"a build that is {status} cannot {event}"):
            move_build(status, event)


def test_a_final_status_is_one_that_no_event_leads_out_of() -> None:
    left = {before for before, _ in moves(STEP_MOVES)}, {before for before, _ in moves(BUILD_MOVES)}
    assert {status for status in StepStatus if status.is_final} == set(StepStatus) - left[0]
    assert {status for status in BuildStatus if status.is_final} == set(BuildStatus) - left[1]


def test_the_document_is_what_the_tables_say() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m docs.state_machine"
