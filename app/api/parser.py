"""Reads requests strictly, and names every fault by its path in the request."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from flask import Request
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from app.api.errors import MAX_FAULTS
from app.domain.errors import Fault, Invalid

MAX_DEPTH = 64
"""Deeper JSON than any request here needs; the parser itself gives up far later, with a RecursionError."""

LONGEST_NUMBER = 1_000
"""Digits. Python's own limit is longer, and its message is for whoever runs the server."""


class StrictParser(FlaskParser):
    """JSON bodies of the right content type, with no NaN, no key twice and no endless nesting."""

    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            raise UnsupportedMediaType("the body must be JSON, sent with 'Content-Type: application/json'")
        loaded = _load(_text(req.get_data(cache=True)))
        if _depth_exceeds(loaded, MAX_DEPTH):
            raise Invalid(f"the body is nested more than {MAX_DEPTH} deep")
        if not isinstance(loaded, dict):
            raise Invalid("the body must be a JSON object", [Fault("", "invalid", "must be an object")])
        return loaded

    def handle_error(self, error: ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        messages = error.messages_dict
        faults = [fault for location in messages.values() for fault in _faults(location, "")]
        raise Invalid(_summary(faults), faults)


def _text(body: bytes) -> str:
    """The body as text. Bytes that are no UTF-8 become lone surrogates: the fields that can take those decide."""
    return body.decode("utf-8", "surrogateescape")


def _load(text: str) -> Any:
    try:
        return json.loads(
            text, parse_int=_read_integer, parse_constant=_refuse_constant, object_pairs_hook=_without_repetition
        )
    except RecursionError:
        raise Invalid("the body is not valid JSON: it is nested too deeply") from None
    except ValueError as error:
        raise Invalid(f"the body is not valid JSON: {error}") from None


def _read_integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has more than {LONGEST_NUMBER} digits")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys all differ: of two values for one key, two readers may take either."""
    loaded = dict(pairs)
    if len(loaded) < len(pairs):
        raise ValueError("an object names the same key twice")
    return loaded


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = _containers([value])
    for _ in range(limit):
        level = [inner for outer in level for inner in _containers(outer)]
        if not level:
            return False
    return True


def _containers(outer: dict[str, Any] | list[Any]) -> list[Any]:
    """What is nested in an object or a list. Called for each one of a body, up to half a million times."""
    values = outer.values() if type(outer) is dict else outer
    return [inner for inner in values if type(inner) is dict or type(inner) is list]


def _faults(messages: Any, path: str) -> Iterator[Fault]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _faults(inner, path if _is_no_place(key, inner) else _join(path, key))
    elif isinstance(messages, list):
        yield from (Fault(path, "invalid", str(message)) for message in messages)


def _is_no_place(key: str | int, inner: Any) -> bool:
    """marshmallow's own words for "the object itself" and "this entry's value"; a client's key may be one of them."""
    return key == "_schema" or (key == "value" and isinstance(inner, list))


def _join(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def _summary(faults: list[Fault]) -> str:
    first = faults[0]
    where = f"{first.path}: " if first.path else ""
    return f"the request is not valid: {where}{first.message}{_more(len(faults) - 1)}"


def _more(others: int) -> str:
    """How many other faults there are. A list is not read on once so many were found, so there may be any number."""
    if others >= MAX_FAULTS - 1:
        return " (and many more)"
    return f" (and {others} more)" if others else ""
