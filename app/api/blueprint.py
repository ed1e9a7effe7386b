"""The blueprint all parts of the API are made with: it reads requests strictly, and documents errors in one shape."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from flask import Request
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from app.api.schemas.base import ErrorSchema
from app.domain.errors import Fault, Invalid, NotFound

MAX_DEPTH = 64
"""Deeper JSON than any request here needs; the parser itself gives up far later, with a RecursionError."""
MAX_FAULTS = 100
"""A request with more faults than this is told of the first ones: the answer must not outgrow the question."""
ERRORS = {
    400: "The request cannot be carried out as it stands; `details` says what is wrong, and where",
    404: "There is no such thing",
    409: "The request contradicts what the server already has; nothing was changed",
    413: "The body is larger than the server takes",
    415: "The body is not of the content type this operation takes",
    500: "Something went wrong in the server; the message carries the request's id",
    503: "The database cannot be reached at the moment; try again",
}

View = TypeVar("View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """Reads JSON bodies strictly: the right content type, no NaN, no endless nesting, and every fault by its path."""

    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            raise UnsupportedMediaType("the body must be JSON, sent with 'Content-Type: application/json'")
        body = req.get_data(cache=True)
        try:
            loaded = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise Invalid(f"the body is not valid JSON: {_why(error)}") from None
        if _depth_exceeds(loaded, MAX_DEPTH):
            raise Invalid(f"the body is nested more than {MAX_DEPTH} deep")
        if not isinstance(loaded, dict):
            raise Invalid("the body must be a JSON object", [Fault("", "invalid", "must be an object")])
        return loaded

    def handle_error(self, error: ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        messages = error.messages_dict
        faults = [fault for location in messages.values() for fault in _faults(location, "")]
        raise Invalid(_summary(faults), faults[:MAX_FAULTS])


class Blueprint(SmorestBlueprint):
    """A blueprint whose paths name things by id: `/{id}` of a project reaches its view as `project_id`."""

    ARGUMENTS_PARSER = StrictParser()

    def path_id(self, parameter: str, argument: str, kind: str) -> None:
        """Take the path's `parameter` as `argument`; what is no id of ours is NotFound before anything is asked."""

        @self.url_value_preprocessor
        def rename(_endpoint: str | None, values: dict[str, Any] | None) -> None:
            if values and parameter in values:
                values[argument] = known_id(values.pop(parameter), kind)

    def errors(self, *codes: int) -> Callable[[View], View]:
        """Document that the view may answer with these errors, and with 500 and 503 as every view may."""

        def document(view: View) -> View:
            for code in sorted({*codes, 500, 503}):
                view = self.alt_response(code, schema=ErrorSchema, description=ERRORS[code])(view)
            return view

        return document


def known_id(value: str, kind: str) -> str:
    """The id in the form the database keeps; NotFound where it cannot be one."""
    try:
        return str(UUID(value))
    except ValueError:
        raise NotFound(kind) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _why(error: ValueError | RecursionError) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (each for each in inner if isinstance(each, dict | list))


def _faults(messages: Any, path: str) -> Iterator[Fault]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _faults(inner, _join(path, key))
    elif isinstance(messages, list):
        yield from (Fault(path, "invalid", str(message)) for message in messages)


def _join(path: str, key: str | int) -> str:
    if key in ("_schema", "value"):
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def _summary(faults: list[Fault]) -> str:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    where = f"{first.path}: " if first.path else ""
    return f"the request is not valid: {where}{first.message}{more}"
