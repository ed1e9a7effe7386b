"""Whatever lies in a queue is dropped and told of once; the worker lives and goes on with what comes after."""

import base64
import json
import pickle
import random
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.tasks.system import System
from tests.support.program import Program
from tests.support.wait import eventually

ABSENT = "018f0000-0000-7000-8000-000000000000"

ENTRIES = {
    "no JSON": b"x",
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "a list": b"[1]",
    "an empty object": b"{}",
    "only a body": b'{"body": "e30="}',
    "deep": b"[" * 20_000,
    "a tag that is a list": b'{"body": "", "properties": {"delivery_tag": [1]}}',
}


def message(body: bytes, content_type: str = "application/json", **headers: Any) -> bytes:
    """A message as Celery makes one, with another body or other headers."""
    identifier = str(uuid4())
    known = {"lang": "py", "task": "builds.plan", "id": identifier, "root_id": identifier, **headers}
    properties = {
        "correlation_id": identifier,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "orchestrate"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8",
            "content-type": content_type,
            "headers": {name: value for name, value in known.items() if value is not None},
            "properties": properties,
        }
    ).encode()


def call(*arguments: Any, **headers: Any) -> bytes:
    return message(json.dumps([arguments, {}, {}]).encode(), **headers)


OLD = json.dumps({"id": "1", "task": "builds.plan", "args": [ABSENT], "kwargs": {}}).encode()

MESSAGES = {
    "an unknown task": call(task="builds.explode"),
    "a task that is a list": call(task=["builds.plan"]),
    "headers without an id": call(ABSENT, id=None),
    "an id that is an object": call(ABSENT, id={"a": 1}),
    "a body that is no JSON": message(b"{"),
    "a body that is a number": message(b"5"),
    "a body that is an object": message(b"{}"),
    "pickle": message(pickle.dumps([[], {}, {}]), content_type="application/x-python-serialize"),
    "an unknown content type": message(b"x", content_type="application/x-nothing"),
    "the old protocol": message(OLD, task=None, id=None),
    "a limit that is text": call(ABSENT, timelimit="soon"),
    "an end that is no time": call(ABSENT, expires="never"),
    "a start that is no time": call(ABSENT, eta="later"),
    "too few arguments": call(),
    "too many arguments": call(ABSENT, 1),
}

ARGUMENTS: dict[str, Any] = {
    "an unknown id": ABSENT,
    "a number": 5,
    "nothing": None,
    "an object": {"id": ABSENT},
    "a list": [ABSENT],
    "NUL": "\0" * 36,
    "a surrogate": "\ud800",
    "a path": "../../healthz?",
    "a large one": "x" * 100_000,
}


def lives_on(system: System, worker: Program, audit_entries: int) -> None:
    """Nothing is left unacknowledged, no row was written, and the same process plans a build that comes after."""
    system.wait_idle()
    assert system.audit_entries() == audit_entries
    build = system.build()
    system.celery.send_task("builds.plan", (build,))
    eventually(lambda: system.statuses(build) == ["PENDING", "READY"], describe=lambda: worker.text)
    assert worker.process.poll() is None
    assert "Unrecoverable error" not in worker.text


@pytest.fixture
def orchestrator(system: System) -> Program:
    return system.orchestrator()


def test_entries_that_are_no_messages_are_dropped_one_by_one(system: System, orchestrator: Program) -> None:
    before = system.audit_entries()
    for entry in ENTRIES.values():
        system.push("orchestrate", entry)
    eventually(
        lambda: len(orchestrator.lines("queue entry dropped")) == len(ENTRIES), describe=lambda: orchestrator.text
    )
    lives_on(system, orchestrator, before)


def told(worker: Program) -> list[dict[str, Any]]:
    """The lines by which it tells that it dropped something."""
    return [line for line in worker.lines() if line["level"] in ("warning", "error", "critical")]


def has_told(worker: Program, number: int) -> bool:
    return len(told(worker)) >= number


def test_messages_that_are_no_calls_are_dropped_one_by_one_and_acknowledged(
    system: System, orchestrator: Program
) -> None:
    """Each is told of before the next one comes, and in one line; three times, as one may cost something each time."""
    before = system.audit_entries()
    for number, (name, entry) in enumerate([*MESSAGES.items()] * 3, start=1):
        system.push("orchestrate", entry)
        eventually(partial(has_told, orchestrator, number), describe=f"of {name}")
        system.wait_idle()
        assert len(told(orchestrator)) == number, (name, told(orchestrator)[number - 1 :])
    lives_on(system, orchestrator, before)


def test_arguments_that_are_no_ids_reach_neither_sql_nor_a_log_as_errors(system: System, orchestrator: Program) -> None:
    before = system.audit_entries()
    for argument in ARGUMENTS.values():
        for task in ("builds.plan", "builds.dispatch"):
            system.push("orchestrate", call(argument, task=task))
    eventually(lambda: len(orchestrator.lines("message dropped")) == 2 * len(ARGUMENTS) - 1)
    system.wait_idle()
    assert len(orchestrator.lines("message dropped: it names no build")) == 2 * (len(ARGUMENTS) - 1)
    assert len(orchestrator.lines("message dropped: there is no such build")) == 1
    assert [line for line in orchestrator.lines() if line["level"] == "error"] == []
    lives_on(system, orchestrator, before)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # no row is read or written for nearly all of them
def test_of_ten_thousand_pieces_of_garbage_each_is_dropped_and_told_of_and_the_worker_lives(
    system: System, orchestrator: Program
) -> None:
    """Bytes by chance, and calls with arguments that are no ids, in any order."""
    chance = random.Random(1)
    wrong = [argument for argument in ARGUMENTS.values() if argument is not ARGUMENTS["a large one"]]
    before = system.audit_entries()
    for _ in range(10_000):
        raw = chance.random() < 0.9
        system.push("orchestrate", chance.randbytes(chance.randrange(50)) if raw else call(chance.choice(wrong)))
    eventually(lambda: not system.queued_entries("orchestrate"), deadline_s=60, describe=lambda: orchestrator.text)
    system.wait_idle()
    assert len(told(orchestrator)) == 10_000
    lives_on(system, orchestrator, before)


def test_a_runner_asks_its_server_only_about_ids(system: System) -> None:
    system.api()
    runner = system.runner()
    pairs: list[tuple[Any, Any]] = [(argument, 1) for argument in ARGUMENTS.values()]
    pairs += [(ABSENT, attempt) for attempt in ("1", 0, -1, 2**31, True, None, 1.5)]
    for pair in pairs:
        system.push("run.default", call(*pair, task="steps.run"))
    eventually(lambda: len(runner.lines("names no attempt")) == len(pairs) - 1, describe=lambda: runner.text)
    assert runner.wait_line("step not run: the server says no")["step"] == ABSENT
    assert runner.process.poll() is None
