"""Bodies that are no request at all: refused in the Error shape by every operation that takes one, nothing kept."""

import json
from typing import Any

import pytest

from tests.api.rows import all_rows, refused
from tests.api.test_statuses import WITH_BODY, Case
from tests.api.world import NOBODY, STEP, World

NO_JSON = {
    "nothing": b"",
    "half an object": b"{",
    "a word": b"hello",
    "a form": b"a=b&c=d",
    "NaN": b'{"unknown": NaN}',
    "Infinity": b'{"unknown": [-Infinity]}',
    "10 kB of brackets": b"[" * 10_000,
    "10 kB of objects": b'{"a":' * 10_000,
    "a key twice": b'{"unknown": 1, "unknown": 2}',
    "a key twice, deep inside": b'{"unknown": [{"a": 1, "a": 1}]}',
    "two values": b"{} {}",
    "a comma too many": b'{"unknown": 1,}',
    "a number with 5,000 digits": b'{"unknown": ' + b"9" * 5_000 + b"}",
    "no UTF-8": b'{"unknown": "x"\xff}',
    "UTF-16": '{"unknown": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a line break in a string": b'{"unknown": "\n"}',
    "a zero byte": b"{\x00}",
}
NO_OBJECT = {
    "null": b"null",
    "a list": b"[]",
    "a list of objects": b"[{}]",
    "a string": b'"x"',
    "a number": b"1",
    "true": b"true",
}
WRONG_TYPES: list[Any] = [None, True, 5, 1.5, 1e400, [], ["x"], {}, {"x": 1}]
LONE = ["\0", "a\0b", "\ud800", "\udfff x"]


def operation(case: Case) -> str:
    return case.operation


@pytest.mark.usefixtures("collector_at_rest")
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("case", WITH_BODY, ids=operation)
def test_what_is_no_json_is_refused(world: World, case: Case, body: bytes) -> None:
    method, path, _ = case.request(world)
    answer = refused(world.client, method, path, body, faults=[])
    assert answer.body["error"].startswith("the body is not valid JSON: ")


@pytest.mark.parametrize("body", NO_OBJECT.values(), ids=NO_OBJECT)
@pytest.mark.parametrize("case", WITH_BODY, ids=operation)
def test_json_that_is_no_object_is_refused(world: World, case: Case, body: bytes) -> None:
    method, path, _ = case.request(world)
    answer = refused(world.client, method, path, body, faults=[("", "invalid")])
    assert answer.body["error"] == "the body must be a JSON object"


@pytest.mark.parametrize("case", WITH_BODY, ids=operation)
def test_json_deeper_than_any_request_is_refused(world: World, case: Case) -> None:
    method, path, _ = case.request(world)
    deep = b'{"unknown": ' + b"[" * 64 + b"]" * 64 + b"}"
    answer = refused(world.client, method, path, deep, faults=[])
    assert answer.body["error"] == "the body is nested more than 64 deep"


@pytest.mark.parametrize("case", WITH_BODY, ids=operation)
def test_a_value_of_the_wrong_type_is_refused_where_it_stands(world: World, case: Case) -> None:
    method, path, body = case.request(world)
    for field, value in body.items():
        for wrong in WRONG_TYPES:
            if not isinstance(wrong, type(value)):
                sent = json.dumps({**body, field: wrong}).replace("Infinity", "1e400").encode()
                refused(world.client, method, path, sent, faults=[(field, "invalid")])


@pytest.mark.parametrize("case", WITH_BODY, ids=operation)
def test_text_that_no_database_keeps_is_refused_where_it_stands(world: World, case: Case) -> None:
    method, path, body = case.request(world)
    for field, value in body.items():
        for wrong in LONE if isinstance(value, str) else ():
            answer = refused(world.client, method, path, {**body, field: wrong})
            assert {fault["path"] for fault in answer.body["details"]} == {field}
        if isinstance(value, str):
            sent = json.dumps({**body, field: "?"}).encode().replace(b'"?"', b'"\xff"')
            answer = refused(world.client, method, path, sent)
            assert {fault["path"] for fault in answer.body["details"]} == {field}


@pytest.mark.parametrize("case", WITH_BODY, ids=operation)
def test_every_field_the_contract_requires_is_asked_for(world: World, case: Case) -> None:
    method, path, body = case.request(world)
    faults = refused(world.client, method, path, {}).body["details"]
    assert {fault["path"] for fault in faults} <= set(body)
    for fault in faults:
        without = {field: value for field, value in body.items() if field != fault["path"]}
        refused(world.client, method, path, without, faults=[(fault["path"], "invalid")])


@pytest.mark.parametrize("case", WITH_BODY, ids=operation)
def test_readonly_and_unknown_fields_never_bind(world: World, case: Case) -> None:
    method, path, body = case.request(world)
    forged = {
        "id": NOBODY,
        "status": "success" if path.endswith("complete") else "SUCCESS",
        "createdAt": "1999-01-01T00:00:00Z",
        "updatedAt": "1999-01-01T00:00:00Z",
        "finishedAt": "1999-01-01T00:00:00Z",
        "projectId": world.other_project,
        "openSteps": 0,
        "idempotencyKey": "forged",
        "requestHash": "forged",
        "unknown": {"deep": [1]},
    }
    fresh = {"slug": "forged"} if "slug" in body else {}
    assert world.client.send(method, path, {**forged, **body, **fresh}).status in (200, 201)
    kept = json.dumps(all_rows(world.client.database))
    assert not any(word in kept for word in (NOBODY, "1999-01-01", "unknown", "idempotencyKey"))


def test_a_request_with_very_many_faults_is_told_of_a_hundred(world: World) -> None:
    body = {"name": "ci", "steps": [{}] * 1_000}
    answer = refused(world.client, "POST", f"/api/projects/{world.project}/workflows", body)
    assert len(answer.body["details"]) == 100
    step = {**STEP, "name": "s", "dependsOn": ["x"] * 500}
    unknown = {"name": "ci", "steps": [step]}
    answer = refused(world.client, "POST", f"/api/projects/{world.project}/workflows", unknown)
    assert len(answer.body["details"]) == 100
