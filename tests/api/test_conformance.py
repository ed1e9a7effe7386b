"""The served API does what its own document says: schemathesis sends what it allows, and what it forbids."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.api.world import World

EXAMPLES = 12
"""For each operation and database, beside the cases at the bounds of every field: the whole takes about a minute."""

EXCLUDED = [
    # The document cannot say which branches, slugs, paths and dependencies are accepted: valid data may be 400.
    positive_data_acceptance,
]


@pytest.fixture
def document(world: World) -> BaseSchema:
    loaded = schemathesis.openapi.from_url(f"{world.client.url}/openapi.json")
    loaded.config.generation.modes = list(GenerationMode)
    return loaded.include(path_regex="^/api/")


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_every_answer_is_one_the_document_names(case: Case[Any]) -> None:
    case.call_and_validate(excluded_checks=EXCLUDED)
