"""Every error as an HTTP answer: the domain's tree, werkzeug's errors and defects, in the contract's shape."""

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoPath

from app.domain.errors import BuildServerError, Conflict, Fault, Invalid, NotFound
from app.models.database_errors import error_code, is_unavailable

log = structlog.get_logger(__name__)

STATUS = {
    NotFound: HTTPStatus.NOT_FOUND,
    Invalid: HTTPStatus.BAD_REQUEST,
    Conflict: HTTPStatus.CONFLICT,
}
RETRY_AFTER_S = 5
MAX_FAULTS = 100
"""A request with more faults than this is told of the first ones: the answer must not outgrow the question."""
FULL = ("53100", "SQLITE_FULL")
"""There is no room on the disk of either."""
UNUSABLE = "the database cannot be used at the moment; try again"
NO_ROOM = "the database's disk is full, so nothing was changed; free some room there and try again"


class DatabaseSilent(Exception):
    """It has not answered for so long that nobody asks it any more, until it does."""


def register_errors(app: Flask) -> None:
    """Answer every error in the contract's shape: `{"error": …, "details": […]}`."""
    for refusal in STATUS:
        app.register_error_handler(refusal, _refused)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(PoolTimeout, _unavailable)
    app.register_error_handler(DatabaseSilent, _unavailable)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _defect)


def answer(status: int, message: str, faults: tuple[Fault, ...] = ()) -> Response:
    """An error response. `details` is left out where there is none to give."""
    body: dict[str, Any] = {"error": message}
    if faults:
        body["details"] = [fault.to_dict() for fault in faults[:MAX_FAULTS]]
    response = jsonify(body)
    response.status_code = status
    return response


def _refused(error: BuildServerError) -> Response:
    return answer(STATUS[type(error)], str(error), _faults(error))


def _faults(error: BuildServerError) -> tuple[Fault, ...]:
    if isinstance(error, Conflict):
        return (Fault("", error.code, str(error)),)
    return error.faults if isinstance(error, Invalid) else ()


def _http(error: HTTPException) -> Response:
    """werkzeug's own errors keep their status and headers (405 says what is allowed), in the contract's shape."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    response = answer(status, _http_message(error, status))
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _http_message(error: HTTPException, status: int) -> str:
    """Our own words where werkzeug's speak to a person before a browser."""
    if isinstance(error, NoPath):
        return f"there is nothing at {request.path}; /openapi.json lists what there is"
    if isinstance(error, MethodNotAllowed):
        return f"{request.method} is not possible at {request.path}; possible: {', '.join(error.valid_methods or ())}"
    return error.description or HTTPStatus(status).phrase


def _database(error: DBAPIError) -> Response:
    if is_unavailable(error):
        return _unavailable(error)
    return _defect(error)


def _unavailable(error: Exception) -> Response:
    log.warning("database unavailable", request_id=g.request_id, error=str(getattr(error, "orig", error)))
    message = NO_ROOM if error_code(error) in FULL else UNUSABLE
    response = answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{message} (request id {g.request_id})")
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _defect(error: Exception) -> Response:
    """A defect: logged whole, answered with nothing but the id under which the log has it."""
    log.error("request failed", request_id=g.request_id, exc_info=error)
    message = f"internal server error; the server's log has it under request id {g.request_id}"
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, message)
