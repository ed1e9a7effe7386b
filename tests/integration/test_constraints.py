"""The database refuses nonsense by itself: one case for each constraint and trigger, on both databases.

A case is named after what it breaks. It is one statement against rows that make sense, and breaks nothing else.
"""

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.exc import IntegrityError

from app.models import Base
from app.models.database import Database
from app.services import projects
from tests.integration.plant import FAILURE, Plant

COPIES = {
    f"pk_{table.name}": f"INSERT INTO {table.name} SELECT * FROM {table.name} "
    f"{'WHERE finished_at IS NOT NULL ' if table.name == 'attempts' else ''}LIMIT 1"
    for table in Base.metadata.sorted_tables
}
INSERT_ATTEMPT = (
    "INSERT INTO attempts "
    "(step_run_id, number, status, handed_back, heartbeats, lease_expires_at, deadline_at, started_at) "
    "SELECT {step}, {number}, 'RUNNING', handed_back, heartbeats, lease_expires_at, deadline_at, started_at "
    "FROM attempts WHERE step_run_id = :running"
)
INSERT_STEP = (
    "INSERT INTO step_runs (id, build_id, project_id, position, name, definition, image_url, pool, run_if, "
    "allow_failure, status, waiting_on, worst, attempt, dispatches) SELECT 'new', build_id, {project}, {position}, "
    "{name}, definition, image_url, pool, run_if, allow_failure, 'PENDING', 0, worst, 1, 0 "
    "FROM step_runs WHERE id = :waiting"
)
INSERT_CHUNK = (
    "INSERT INTO log_chunks (step_run_id, attempt, start, content) VALUES (:running, {attempt}, {start}, {bytes})"
)
INSERT_EDGE = "INSERT INTO step_edges (upstream, downstream, build_id) VALUES ({upstream}, {downstream}, :build)"
STEP = "UPDATE step_runs SET {} WHERE id = "
BUILD = "UPDATE builds SET {} WHERE id = "
ATTEMPT = "UPDATE attempts SET {} WHERE step_run_id = "
FINISH = "finished_at = created_at"
END = "finished_at = ready_at"

CASES: Mapping[str, str] = {
    **COPIES,
    # projects, workflows, images
    "fk_workflows_project_id": "UPDATE workflows SET project_id = 'nobody' WHERE id = :unused_workflow",
    "uq_docker_images_slug": "INSERT INTO docker_images SELECT 'new', slug, image_url, public, created_at "
    "FROM docker_images",
    # builds
    "fk_builds_workflow_id_project_id": BUILD.format("workflow_id = :foreign_workflow") + ":unplanned",
    "uq_builds_project_id_idempotency_key": "UPDATE builds SET idempotency_key = 'twice', request_hash = 'x'",
    "ck_builds_status_known": BUILD.format("status = 'WAITING'") + ":build",
    "ck_builds_status_reason_known": BUILD.format("status_reason = 'because'") + ":build",
    "ck_builds_final_has_finished_at": BUILD.format(FINISH + ", open_steps = 0") + ":build",
    "ck_builds_final_has_no_open_steps": BUILD.format(f"status = 'SUCCESS', {FINISH}") + ":build",
    "ck_builds_open_steps_not_negative": BUILD.format("open_steps = -1") + ":build",
    "ck_builds_running_has_started_at": BUILD.format("started_at = NULL") + ":build",
    "ck_builds_failed_has_status_reason": BUILD.format("status_reason = NULL") + ":failed_build",
    "ck_builds_success_has_no_reason": BUILD.format("status_reason = 'exit'") + ":succeeded_build",
    "ck_builds_planned_before_it_starts": BUILD.format("planned_at = NULL") + ":build",
    "ck_builds_key_has_request_hash": BUILD.format("idempotency_key = 'x'") + ":build",
    "tr_builds_final": BUILD.format("status = 'RUNNING', finished_at = NULL") + ":failed_build",
    # step runs
    "fk_step_runs_build_id_project_id": INSERT_STEP.format(project=":foreign_project", position=99, name="'new'"),
    "uq_step_runs_build_id_position": INSERT_STEP.format(project="project_id", position="position", name="'new'"),
    "uq_step_runs_build_id_name": INSERT_STEP.format(project="project_id", position=99, name="name"),
    "ck_step_runs_status_known": STEP.format("status = 'WAITING'") + ":ready",
    "ck_step_runs_reason_known": STEP.format("reason = 'because'") + ":failed",
    "ck_step_runs_worst_known": STEP.format("worst = 'bad'") + ":waiting",
    "ck_step_runs_run_if_known": STEP.format("run_if = 'never'") + ":waiting",
    "ck_step_runs_final_has_finished_at": STEP.format(END) + ":running",
    "ck_step_runs_reason_explains_status": STEP.format(f"status = 'FAILED', {END}") + ":running",
    "ck_step_runs_ready_has_ready_at": STEP.format("ready_at = NULL") + ":ready",
    "ck_step_runs_ready_has_redispatch_at": STEP.format("redispatch_at = NULL") + ":ready",
    "ck_step_runs_running_has_started_at": STEP.format("started_at = NULL") + ":running",
    "ck_step_runs_position_not_negative": STEP.format("position = -1") + ":waiting",
    "ck_step_runs_waiting_on_not_negative": STEP.format("waiting_on = -1") + ":waiting",
    "ck_step_runs_attempt_from_one": INSERT_STEP.format(project="project_id", position=99, name="'new'").replace(
        "worst, 1, 0", "worst, 0, 0"
    ),
    "ck_step_runs_dispatches_have_dispatched_at": STEP.format("dispatches = 1") + ":waiting",
    "ck_step_runs_dispatches_not_negative": STEP.format("dispatches = -1, dispatched_at = ready_at") + ":ready",
    "ck_step_runs_pending_while_waiting": STEP.format("waiting_on = 1") + ":ready",
    "tr_step_runs_final": STEP.format("status = 'READY', reason = NULL, finished_at = NULL") + ":failed",
    "tr_step_runs_attempt": STEP.format("attempt = attempt - 1") + ":retried",
    # edges
    "tr_step_edges_ends": INSERT_EDGE.format(upstream=":foreign_step", downstream=":waiting"),
    "tr_step_edges_update": "UPDATE step_edges SET build_id = build_id",
    "tr_step_runs_delete": "DELETE FROM step_runs WHERE id = :waiting",
    "tr_step_runs_identity": STEP.format("build_id = :unplanned, position = 99") + ":waiting",
    "ck_step_edges_joins_two_steps": INSERT_EDGE.format(upstream=":waiting", downstream=":waiting"),
    # attempts
    "fk_attempts_step_run_id": INSERT_ATTEMPT.format(step="'nobody'", number=1),
    "uq_attempts_live": INSERT_ATTEMPT.format(step="step_run_id", number=2),
    "ck_attempts_status_known": ATTEMPT.format("status = 'READY'") + ":running",
    "ck_attempts_reason_known": INSERT_ATTEMPT.format(step=":ready", number=1)
    .replace("status, handed_back", "status, reason, finished_at, handed_back")
    .replace("'RUNNING', ", "'FAILED', 'because', started_at, "),
    "ck_attempts_final_has_finished_at": ATTEMPT.format("finished_at = started_at") + ":running",
    "ck_attempts_reason_explains_status": ATTEMPT.format("status = 'FAILED', finished_at = started_at") + ":running",
    "ck_attempts_number_from_one": INSERT_ATTEMPT.format(step=":ready", number=0),
    "ck_attempts_handed_back_is_lost": ATTEMPT.format("handed_back = (1 = 1)") + ":running",
    "tr_attempts_final": ATTEMPT.format("exit_code = 7") + ":failed",
    # logs
    "fk_log_chunks_step_run_id_attempt": INSERT_CHUNK.format(attempt=2, start=0, bytes="'x'"),
    "ck_log_chunks_start_not_negative": INSERT_CHUNK.format(attempt=1, start=-1, bytes="'x'"),
    "ck_log_chunks_content_not_empty": INSERT_CHUNK.format(attempt=1, start=99, bytes="''"),
    # audit
    "fk_audit_entries_project_id": "INSERT INTO audit_entries SELECT 'new', 'nobody', action, details, created_at "
    "FROM audit_entries LIMIT 1",
    "ck_audit_entries_action_known": "INSERT INTO audit_entries SELECT 'new', project_id, 'step.lost', details, "
    "created_at FROM audit_entries LIMIT 1",
    "ck_api_presence_one_row": "INSERT INTO api_presence SELECT 2, since, seen_at FROM api_presence",
    "ck_audit_counts_action_known": "INSERT INTO audit_counts VALUES ('', 'step.lost', 0, 1)",
    "ck_audit_counts_shard_not_negative": "INSERT INTO audit_counts VALUES ('x', 'step.ready', -1, 1)",
    "ck_audit_counts_entries_positive": "INSERT INTO audit_counts VALUES ('x', 'step.ready', 0, 0)",
    "tr_audit_entries_update": "UPDATE audit_entries SET project_id = NULL",
    "tr_audit_entries_delete": "DELETE FROM audit_entries",
}
COVERED_BY_KEY = {"uq_builds_id_project_id", "uq_workflows_id_project_id"}
"""There for foreign keys to refer to: no row can break one, as the primary key refuses it first."""


def constraints() -> dict[str, Constraint | Index]:
    """Every constraint and unique index of the models, by name."""
    tables = Base.metadata.sorted_tables
    found: list[Constraint | Index] = [constraint for table in tables for constraint in table.constraints]
    found += [index for table in tables for index in table.indexes if index.unique]
    return {str(each.name): each for each in found}


@pytest.fixture
def rows(plant: Plant) -> dict[str, str]:
    """Ids of rows in every state, by what they are good for."""
    plant.planned({"x": []})
    mixed = plant.planned({"running": [], "ready": [], "waiting": ["ready"], "retried": []})
    plant.claim(mixed.steps["retried"])
    plant.lose(mixed.steps["retried"])
    plant.claim(mixed.steps["running"])
    failed, succeeded = plant.planned({"failed": []}), plant.planned({"succeeded": []})
    plant.run(failed.steps["failed"], FAILURE)
    plant.run(succeeded.steps["succeeded"])
    with plant.database.engine.begin() as connection:
        connection.execute(
            text(INSERT_CHUNK.format(attempt=1, start=0, bytes="'x'")), {"running": mixed.steps["running"]}
        )
    unused = plant.workflow({})
    unplanned = plant.build({"y": []})
    home = plant.project
    plant.project = plant.database.transact(projects.create, "other", "foreign").id
    foreign = plant.build({"z": []})
    found = {
        **mixed.steps,
        **failed.steps,
        "build": mixed.build,
        "unplanned": unplanned.build,
        "failed_build": failed.build,
        "succeeded_build": succeeded.build,
        "unused_workflow": unused,
        "foreign_project": plant.project,
        "foreign_step": foreign.steps["z"],
        "foreign_workflow": plant.row(foreign).workflow_id,
    }
    plant.project = home
    return found


@pytest.mark.parametrize("name", CASES)
def test_nonsense_is_refused_and_nothing_changes(plant: Plant, rows: dict[str, str], name: str) -> None:
    before = plant.snapshot()
    with pytest.raises(IntegrityError) as refused, plant.database.engine.begin() as connection:
        connection.execute(text(CASES[name]), rows)
    assert any(sign in str(refused.value.orig) for sign in signs(name, plant.database))
    assert plant.snapshot() == before


def signs(name: str, database: Database) -> Iterator[str]:
    """What a database says when it refuses something for the constraint; SQLite has no names for keys."""
    constraint = constraints().get(name)
    if database.engine.dialect.name == "postgresql" or isinstance(constraint, CheckConstraint | None):
        yield name
    elif isinstance(constraint, ForeignKeyConstraint):
        yield "FOREIGN KEY constraint failed"
    else:
        assert isinstance(constraint, Index | PrimaryKeyConstraint | UniqueConstraint)
        assert constraint.table is not None
        whole_row = isinstance(constraint, PrimaryKeyConstraint)
        columns = [f"{constraint.table.name}.{column.name}" for column in constraint.columns]
        yield f"UNIQUE constraint failed: {f'{constraint.table.name}.' if whole_row else ', '.join(columns)}"


def test_every_constraint_and_trigger_has_a_case(database: Database) -> None:
    sqlite = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    postgresql = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with database.engine.connect() as connection:
        query = sqlite if connection.dialect.name == "sqlite" else postgresql
        triggers = set(connection.scalars(text(query)))
    assert triggers | set(constraints()) == set(CASES) | COVERED_BY_KEY


def test_what_a_foreign_key_refers_to_is_unique_by_itself(database: Database) -> None:
    """SQLite notices that it is not only when a row is written."""
    inspected = inspect(database.engine)
    referred = {
        (key["referred_table"], tuple(key["referred_columns"]))
        for table in inspected.get_table_names()
        for key in inspected.get_foreign_keys(table)
    }
    unique = {
        (table, tuple(columns))
        for table in inspected.get_table_names()
        for columns in (
            inspected.get_pk_constraint(table)["constrained_columns"],
            *(constraint["column_names"] for constraint in inspected.get_unique_constraints(table)),
        )
    }
    assert referred <= unique
    assert {("builds", ("id", "project_id")), ("workflows", ("id", "project_id"))} <= referred


@pytest.mark.parametrize(
    ("upstream", "downstream"),
    [
        (":foreign_step", ":waiting"),
        (":waiting", ":foreign_step"),
        (":foreign_step", ":failed"),
        ("'nobody'", ":waiting"),
        (":waiting", "'nobody'"),
    ],
)
def test_an_edge_joins_two_steps_of_its_own_build(
    plant: Plant, rows: dict[str, str], upstream: str, downstream: str
) -> None:
    """Also where the edge before it in the same statement does."""
    before = plant.snapshot()
    pairs = [(":running", ":waiting"), (upstream, downstream)]
    edges = ", ".join(f"({above}, {below}, :build)" for above, below in pairs)
    statement = text(f"INSERT INTO step_edges (upstream, downstream, build_id) VALUES {edges}")
    with pytest.raises(IntegrityError, match="tr_step_edges_ends"), plant.database.engine.begin() as connection:
        connection.execute(statement, rows)
    assert plant.snapshot() == before


def test_a_step_run_keeps_its_id(plant: Plant, rows: dict[str, str]) -> None:
    before = plant.snapshot()
    with pytest.raises(IntegrityError, match="tr_step_runs_identity"), plant.database.engine.begin() as connection:
        connection.execute(text(STEP.format("id = 'another'") + ":waiting"), rows)
    assert plant.snapshot() == before


def test_every_table_that_names_a_project_and_a_build_ties_them_together(database: Database) -> None:
    inspected = inspect(database.engine)
    for table in inspected.get_table_names():
        columns = {column["name"] for column in inspected.get_columns(table)}
        if {"build_id", "project_id"} <= columns:
            keys = [set(key["constrained_columns"]) for key in inspected.get_foreign_keys(table)]
            assert {"build_id", "project_id"} in keys, table


@pytest.mark.parametrize("status", ["READY", "PENDING"])
def test_a_final_step_run_is_left_by_a_rerun_which_raises_its_attempt(
    plant: Plant, rows: dict[str, str], status: str
) -> None:
    rerun = f"status = '{status}', reason = NULL, finished_at = NULL, attempt = attempt + 1"
    with plant.database.engine.begin() as connection:
        connection.execute(text(STEP.format(rerun) + ":failed"), rows)
    run = plant.run_of(rows["failed"])
    assert (run.status, run.attempt) == (status, 2)


@pytest.mark.parametrize("changes", ["status = 'RUNNING', finished_at = NULL", "status = 'SUCCESS'"])
def test_no_higher_attempt_leads_from_one_end_to_another_or_past_the_claim(
    plant: Plant, rows: dict[str, str], changes: str
) -> None:
    before = plant.snapshot()
    statement = STEP.format(f"{changes}, reason = NULL, attempt = attempt + 1") + ":failed"
    with pytest.raises(IntegrityError, match="tr_step_runs_final"), plant.database.engine.begin() as connection:
        connection.execute(text(statement), rows)
    assert plant.snapshot() == before
