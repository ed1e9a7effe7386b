"""Every error as an HTTP answer: the domain's tree, werkzeug's errors and defects, in the contract's shape."""

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from app.domain.errors import BuildServerError, Conflict, Fault, Invalid, NotFound

log = structlog.get_logger(__name__)

STATUS = {
    NotFound: HTTPStatus.NOT_FOUND,
    Invalid: HTTPStatus.BAD_REQUEST,
    Conflict: HTTPStatus.CONFLICT,
}
RETRY_AFTER_S = 5


def register_errors(app: Flask) -> None:
    """Answer every error in the contract's shape: `{"error": …, "details": […]}`."""
    app.register_error_handler(BuildServerError, _refused)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(PoolTimeout, _unavailable)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _defect)


def answer(status: int, message: str, details: list[dict[str, str]] | None = None) -> Response:
    """An error response. `details` is left out where there is none to give."""
    body: dict[str, Any] = {"error": message}
    if details:
        body["details"] = details
    response = jsonify(body)
    response.status_code = status
    return response


def _refused(error: BuildServerError) -> Response:
    status = STATUS.get(type(error))
    if status is None:
        return _defect(error)
    return answer(status, str(error), [fault.to_dict() for fault in _faults(error)])


def _faults(error: BuildServerError) -> tuple[Fault, ...]:
    if isinstance(error, Conflict):
        return (Fault("", error.code, str(error)),)
    return error.faults if isinstance(error, Invalid) else ()


def _http(error: HTTPException) -> Response:
    """werkzeug's own errors keep their status and headers (405 says what is allowed), in the contract's shape."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    response = answer(status, error.description or HTTPStatus(status).phrase)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _database(error: DBAPIError) -> Response:
    if error.connection_invalidated or _cannot_connect(error):
        return _unavailable(error)
    return _defect(error)


def _cannot_connect(error: DBAPIError) -> bool:
    text = str(error.orig).lower()
    return any(sign in text for sign in ("connection", "database is locked", "unable to open", "starting up"))


def _unavailable(error: Exception) -> Response:
    log.warning("database unavailable", request_id=g.get("request_id"), error=str(getattr(error, "orig", error)))
    response = answer(HTTPStatus.SERVICE_UNAVAILABLE, "the database cannot be reached at the moment; try again")
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _defect(error: Exception) -> Response:
    """A defect: logged whole, answered with nothing but the id under which the log has it."""
    log.error("request failed", request_id=g.get("request_id"), exc_info=error)
    message = f"internal server error; the server's log has it under request id {g.get('request_id', 'unknown')}"
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, message)
