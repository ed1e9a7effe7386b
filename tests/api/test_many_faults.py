"""A body with more wrong items than an answer can name costs no more than one with as many as it names."""

from collections.abc import Mapping
from typing import Any

import pytest
from marshmallow import ValidationError, fields

from app.api.errors import MAX_FAULTS
from app.api.schemas.base import BaseSchema, Items
from app.api.schemas.runner import CompletionSchema
from app.api.schemas.workflows import NewWorkflow, RetriesSchema, StepSchema
from tests.api.rows import refused
from tests.api.world import STEP, World

MANY = 20_000
NAMED = {**STEP, "name": "a"}


class Read(fields.Field[int]):
    """Takes even numbers, and counts what it was asked about."""

    asked = 0

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any) -> int:
        self.asked += 1
        if value % 2:
            raise ValidationError("is odd")
        return int(value)


def wrong_items(error: ValidationError) -> list[Any]:
    """Their indexes, which are numbers whatever marshmallow's types say."""
    return list(error.messages_dict)


def test_a_list_is_read_until_as_many_items_are_wrong_as_an_answer_names() -> None:
    items = Items(Read())
    with pytest.raises(ValidationError) as refusal:
        items.deserialize(list(range(MANY)))
    assert wrong_items(refusal.value) == list(range(1, 2 * MAX_FAULTS, 2))
    assert isinstance(items.inner, Read)
    assert items.inner.asked == 2 * MAX_FAULTS


@pytest.mark.parametrize("schema", [NewWorkflow, StepSchema, RetriesSchema, CompletionSchema])
def test_every_list_of_a_request_is_read_so(schema: type[BaseSchema]) -> None:
    lists = [field for field in schema().load_fields.values() if isinstance(field, fields.List)]
    assert lists
    assert {type(field) for field in lists} == {Items}


def test_a_list_with_fewer_wrong_items_names_every_one_of_them() -> None:
    with pytest.raises(ValidationError) as refusal:
        Items(Read()).deserialize([2, 3, 4, 5, 6])
    assert wrong_items(refusal.value) == [1, 3]


def test_a_list_without_wrong_items_is_read_whole_and_in_order() -> None:
    assert Items(Read()).deserialize(list(range(0, MANY, 2))) == list(range(0, MANY, 2))


@pytest.mark.parametrize("item", [0, {}, None, {**NAMED, "dependsOn": [0]}, {**NAMED, "cacheDirs": [".."]}], ids=str)
def test_many_wrong_steps_are_refused_with_the_first_of_their_faults(world: World, item: Any) -> None:
    path = f"/api/projects/{world.project}/workflows"
    answer = refused(world.client, "POST", path, {"name": "ci", "steps": [item] * 5_000})
    assert len(answer.body["details"]) == MAX_FAULTS
    assert answer.body["error"].endswith(" (and many more)")


def test_two_wrong_steps_are_counted(world: World) -> None:
    path = f"/api/projects/{world.project}/workflows"
    answer = refused(world.client, "POST", path, {"name": "ci", "steps": [0, NAMED, 0]})
    assert [fault["path"] for fault in answer.body["details"]] == ["steps[0]", "steps[2]"]
    assert answer.body["error"].endswith(" (and 1 more)")
