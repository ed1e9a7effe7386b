"""All rows of all tables, to be compared before and after something that must change nothing."""

from typing import Any

from sqlalchemy import Connection, Table, select

from app.models import Base
from app.models.database import Database
from tests.api.served import Answer, Client

Rows = dict[str, list[str]]


def all_rows(database: Database) -> Rows:
    """Each table's rows, sorted."""
    with database.engine.connect() as connection:
        return {table.name: _rows(connection, table) for table in Base.metadata.sorted_tables}


def refused(
    client: Client,
    method: str,
    path: str,
    body: Any = None,
    *,
    status: int = 400,
    faults: list[tuple[str, str]] | None = None,
    **headers: str,
) -> Answer:
    """Send what must be refused: the answer has the contract's Error shape, and no row of any table changes.

    `faults` are the paths and codes that `details` must have, in order.
    """
    before = all_rows(client.database)
    answer = client.send(method, path, body, **headers)
    assert answer.status == status, (path, body, answer)
    assert_error(answer)
    if faults is not None:
        assert [(fault["path"], fault["code"]) for fault in answer.body.get("details", [])] == faults, answer.body
    assert all_rows(client.database) == before
    return answer


def assert_error(answer: Answer) -> None:
    """The contract's Error, every fault with where, what and a sentence."""
    assert set(answer.body) <= {"error", "details"}, answer.body
    assert isinstance(answer.body["error"], str) and answer.body["error"]
    for fault in answer.body.get("details", []):
        assert set(fault) == {"path", "code", "message"}
        assert all(isinstance(value, str) for value in fault.values()) and fault["code"] and fault["message"]


def _rows(connection: Connection, table: Table) -> list[str]:
    return sorted(repr(tuple(row)) for row in connection.execute(select(table)))
