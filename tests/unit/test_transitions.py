"""The state machine: total, and shown in the documentation as it is."""

import pytest

from app.domain.errors import IllegalMove
from app.domain.transitions import BUILD_MOVES, STEP_MOVES, BuildEvent, StepEvent, move, move_build
from app.domain.vocabulary import BuildStatus, StepStatus
from docs.state_machine import DOCUMENT, document


@pytest.mark.parametrize("event", StepEvent)
@pytest.mark.parametrize("status", StepStatus)
def test_a_step_moves_as_the_table_says_or_not_at_all(status: StepStatus, event: StepEvent) -> None:
    if (status, event) in STEP_MOVES:
        assert move(status, event) is STEP_MOVES[status, event]
        assert not status.is_final
    else:
        with pytest.raises(IllegalMove):
            move(status, event)


@pytest.mark.parametrize("event", BuildEvent)
@pytest.mark.parametrize("status", BuildStatus)
def test_a_build_moves_as_the_table_says_or_not_at_all(status: BuildStatus, event: BuildEvent) -> None:
    if (status, event) in BUILD_MOVES:
        assert move_build(status, event) is BUILD_MOVES[status, event]
        assert not status.is_final
    else:
        with pytest.raises(IllegalMove):
            move_build(status, event)


def test_the_document_is_what_the_tables_say() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m docs.state_machine"
