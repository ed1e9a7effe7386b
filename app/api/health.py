"""Whether the server is alive, and whether it can do its work."""

from collections.abc import Callable
from typing import Any

from flask import Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from app.api.access import read
from app.api.blueprint import Blueprint
from app.api.errors import DatabaseSilent
from app.api.schemas.health import HealthSchema, ReadinessSchema
from app.services import health

blueprint = Blueprint("Health", __name__, description="Whether the server can do its work")


@blueprint.get("/healthz")
@blueprint.response(200, HealthSchema, description="The server is alive")
def healthz() -> dict[str, str]:
    """Say that the server is alive

    Asks neither the database nor the broker: a server that answers need not be restarted because one of them is down.
    """
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.response(200, ReadinessSchema, description="Every part works")
@blueprint.alt_response(503, schema=ReadinessSchema, description="A part does not work; `checks` says which and why")
def readyz() -> Response:
    """Say whether the server can do its work, part by part

    While the broker is down builds are still taken, and start once it is back; without the database nothing works.
    """
    checks = {"database": _database(), "broker": _broker()}
    ready = all(check["ok"] for check in checks.values())
    response = jsonify({"status": "ready" if ready else "unready", "checks": checks})
    response.status_code = 200 if ready else 503
    return response


def _database() -> dict[str, Any]:
    try:
        wrong = read(health.schema_problem)
    except (SQLAlchemyError, DatabaseSilent) as error:
        wrong = f"the database cannot be reached: {type(error).__name__}"
    return _check(wrong)


def _broker() -> dict[str, Any]:
    ping: Callable[[], str | None] = current_app.extensions["buildserver.broker_problem"]
    return _check(ping())


def _check(wrong: str | None) -> dict[str, Any]:
    return {"ok": False, "message": wrong} if wrong else {"ok": True}
