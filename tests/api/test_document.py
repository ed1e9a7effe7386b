"""The served API does what its own document says: schemathesis sends what it allows."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import Client

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_every_answer_is_one_the_document_names(client: Client, project: str, diamond: str) -> None:
    assert project
    assert diamond
    document = schemathesis.openapi.from_url(f"{client.url}/openapi.json")
    for found in document.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path.startswith("/api/"):

            @given(case=operation.as_strategy())
            @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def answers_as_documented(case: Case[Any]) -> None:
                case.call_and_validate(checks=CHECKS)

            answers_as_documented()
