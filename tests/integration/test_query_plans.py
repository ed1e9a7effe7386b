"""A long history makes nothing slower: whatever is asked of its tables is found through an index, and neither a whole
table nor a whole index is read. The databases themselves say how they would do what a use case asks.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, event

from app.models.database import Database
from app.services import audit, builds, leases, logs, planning, presence, steps
from app.services.builds import BuildRequest
from tests.integration.plant import CLAIM_DEADLINE_S, FAILURE, SUCCESS, TIMES, Ids, Plant
from tests.support import history
from tests.support.databases import migrated

BUILDS = 10_000
GROWING = ("builds", "step_runs", "step_edges", "attempts", "log_chunks", "audit_entries")
LIVE = (
    "ix_attempts_lease",
    "ix_builds_unplanned",
    "ix_step_runs_outbox",
    "ix_step_runs_undispatched",
    "uq_attempts_live",
)
"""Indexes of what is not over: these may be read whole."""
SHAPE = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["c"]}
Question = tuple[str, Any]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def old_plant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with migrated(request.param, tmp_path_factory.mktemp("old")) as url:
        database = Database(url)
        plant = Plant(database)
        history.add(database, plant.project, plant.workflow(SHAPE), BUILDS)
        yield plant
        database.dispose()


def opened(plant: Plant) -> Ids:
    """A build whose first step is claimed."""
    ids = plant.planned(SHAPE)
    plant.claim(ids.steps["a"])
    return ids


def list_builds(plant: Plant) -> None:
    plant.database.read(builds.list_for_project, plant.project, 20, 0)


def list_builds_of_long_ago(plant: Plant) -> None:
    plant.database.read(builds.list_for_project, plant.project, 20, BUILDS * 2 // 3)


def list_audit_entries(plant: Plant) -> None:
    for project in (plant.project, None):
        for action in ("build.created", None):
            plant.database.read(audit.list_entries, project, action, 20, 0)


def read_a_build(plant: Plant) -> None:
    ids = opened(plant)
    plant.database.read(steps.of_build, ids.build)
    plant.database.read(steps.attempts, ids.steps["a"])


def write_and_read_a_log(plant: Plant) -> None:
    ids = opened(plant)
    plant.database.transact(logs.append, ids.steps["a"], 1, 0, b"line\n")
    log = plant.database.read(logs.extent, ids.steps["a"])
    plant.database.read(logs.chunk, log, 0)


def post_a_build(plant: Plant) -> None:
    request = BuildRequest(plant.workflow(SHAPE))
    plant.database.transact(builds.create, plant.project, request)
    plant.database.transact(builds.create, plant.project, request, f"key of {request.workflow_id}")


def run_a_build(plant: Plant) -> None:
    ids = plant.planned(SHAPE)
    for step_id in ids.steps.values():
        plant.dispatch(ids.build)
        plant.claim(step_id)
        plant.database.transact(leases.extend, step_id, "runner-1", 1, TIMES.lease_s)
        plant.complete(step_id, SUCCESS, 1)


def fail_a_build(plant: Plant) -> None:
    plant.run(plant.planned(SHAPE).steps["a"], FAILURE)


def lose_a_runner(plant: Plant) -> None:
    plant.lose(opened(plant).steps["a"])


def sweep(plant: Plant) -> None:
    """With something to find in each place."""
    lost, sent = plant.planned(SHAPE), plant.planned(SHAPE)
    plant.build(SHAPE)
    plant.age_step(lost.steps["a"])
    dispatches = plant.dispatch(sent.build, CLAIM_DEADLINE_S)
    plant.age_step(sent.steps["a"])
    assert plant.database.read(planning.unplanned) is not None
    assert plant.unclaimed()
    assert plant.dispatch_unsent()
    assert plant.dispatch_again(1)
    plant.take_back(dispatches)
    plant.database.transact(presence.note, TIMES.lease_s)


ACTS = [
    *(list_builds, list_builds_of_long_ago, list_audit_entries, read_a_build),
    *(write_and_read_a_log, post_a_build, run_a_build, fail_a_build, lose_a_runner, sweep),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: str(act.__name__))
def test_nothing_that_grows_is_read_whole(old_plant: Plant, act: Callable[[Plant], None]) -> None:
    questions = asked_by(old_plant, act)
    assert any(f" {table}" in statement for table in GROWING for statement, _ in questions)
    with old_plant.database.engine.connect() as connection:
        found = {statement: whole_reads(connection, statement, values) for statement, values in questions}
    assert {statement: reads for statement, reads in found.items() if reads} == {}


@pytest.mark.parametrize(
    "question",
    [
        "SELECT count(*) FROM builds",
        "SELECT id FROM step_runs WHERE runner = 'runner-0'",
        "SELECT id FROM builds ORDER BY created_at LIMIT 1",
        "SELECT max(finished_at) FROM builds",
        "DELETE FROM log_chunks",
    ],
)
def test_a_whole_read_is_noticed(old_plant: Plant, question: str) -> None:
    with old_plant.database.engine.connect() as connection:
        assert whole_reads(connection, question, ())


def asked_by(plant: Plant, act: Callable[[Plant], None]) -> list[Question]:
    """Each statement that the act sends, once, with the values of its first time."""
    questions: dict[str, Any] = {}

    def note(_connection: object, _cursor: object, statement: str, values: Any, _context: object, many: bool) -> None:
        if re.match(r"SELECT|UPDATE|DELETE|WITH", statement):
            questions.setdefault(statement, values[0] if many else values)

    event.listen(plant.database.engine, "before_cursor_execute", note)
    try:
        act(plant)
    finally:
        event.remove(plant.database.engine, "before_cursor_execute", note)
    return list(questions.items())


def whole_reads(connection: Connection, statement: str, values: Any) -> list[str]:
    """Where the database would read a growing table, or an index of it, from end to end."""
    if connection.dialect.name == "postgresql":
        ((answer,),) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
        return list(_of_postgresql(answer[0]["Plan"], is_limited=False))
    plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    is_limited = " LIMIT " in statement and not any("TEMP B-TREE" in line for line in plan)
    return [line for line in plan if _is_whole_in_sqlite(line, is_limited)]


def _of_postgresql(node: Mapping[str, Any], is_limited: bool) -> Iterator[str]:
    """`is_limited`: whoever asks this node stops when he has enough."""
    kind, table, index = node["Node Type"], node.get("Relation Name"), node.get("Index Name")
    if kind == "Limit":
        is_limited = True
    elif "Sort" in kind or "Aggregate" in kind or "Hash" in kind:
        is_limited = False
    through_index = index and ("Index Cond" in node or index in LIVE or is_limited)
    reads_table = table in GROWING and "Scan" in kind and kind != "Bitmap Heap Scan"
    if (reads_table or kind == "Bitmap Index Scan") and not through_index:
        yield f"{kind} on {table} {index or ''}"
    for child in node.get("Plans", ()):
        yield from _of_postgresql(child, is_limited)


def _is_whole_in_sqlite(line: str, is_limited: bool) -> bool:
    """A search without an index is one for the least or the greatest value."""
    read = re.match(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", line)
    if read is None or read[2] not in GROWING or (read[1] == "SEARCH" and read[3]):
        return False
    return read[3] is None or (read[3] not in LIVE and not is_limited)
