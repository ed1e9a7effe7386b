"""The base of all schemas, and the field types: strict in what they take, and nothing unset in what they give."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_dump, validate

from app.api.errors import MAX_FAULTS
from app.domain.limits import MAX_INTEGER

IN_OUR_WORDS = {"required": "is missing", "null": "must not be null"}
KINDS = (
    (fields.Integer, "must be a whole number"),
    (fields.Boolean, "must be true or false"),
    (fields.String, "must be text"),
    (fields.List, "must be a list"),
    (fields.Mapping, "must be an object"),
)
"""What is said of a value that is no such thing at all, by the kind of its field."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Check = Callable[[str], str | None]

ATTEMPT = validate.Range(min=1, max=MAX_INTEGER)
"""The number of an attempt."""


class BaseSchema(Schema):
    """camelCase outside, snake_case inside; unknown fields are ignored, fields without a value are left out."""

    class Meta:
        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.data_key = camel_case(field_obj.data_key or field_name)
        field_obj.error_messages = {**field_obj.error_messages, **in_our_words(field_obj)}
        for validator in field_obj.validators:
            if isinstance(validator, validate.Length | validate.Range):
                validator.error = bounds(field_obj, validator)

    @post_dump
    def drop_unset(self, dumped: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return {key: value for key, value in dumped.items() if value is not None}


class Text(fields.String):
    """A string that both databases can store: no NUL, no lone surrogate.

    `trim` takes white space off its ends, which counts for the greatest length all the same, as the document says.
    """

    def __init__(self, *, trim: bool = False, check: Check | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trim = trim
        self.check = check

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if _UNSTORABLE.search(text):
            raise ValidationError("must be Unicode text without NUL")
        if self.trim:
            self._require_room(text)
            text = text.strip()
        if self.check and (refused := self.check(text)):
            raise ValidationError(refused)
        return text

    def _require_room(self, text: str) -> None:
        for limit in self.validators:
            if isinstance(limit, validate.Length) and limit.max is not None and len(text) > limit.max:
                limit(text)


class TrueFalse(fields.Boolean):
    """JSON's true and false, and nothing that merely looks like them."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryBoolean(fields.Boolean):
    """A boolean in a query string: true, false, 1 or 0."""

    def __init__(self, **options: Any) -> None:
        super().__init__(truthy={"true", "1"}, falsy={"false", "0"}, **options)


class Whole(fields.Integer):
    """A JSON integer: no string, no boolean, no 5.0."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class QueryInteger(fields.Integer):
    """An integer in a query string: ASCII digits and an optional sign, and no more of them than any list needs."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,100}", str(value)):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Items(fields.List[Any]):
    """A list in a request, read until as many of its items are wrong as an answer can say.

    An error for each of half a million items takes half a minute to make, and nobody is told of most of them.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        loaded: list[Any] = []
        wrong: dict[int, Any] = {}
        for index, item in enumerate(value):
            try:
                loaded.append(self.inner.deserialize(item, **kwargs))
            except ValidationError as error:
                wrong[index] = error.messages
                if len(wrong) == MAX_FAULTS:
                    break
        if wrong:
            raise ValidationError(wrong)
        return loaded


class ErrorSchema(BaseSchema):
    """The one shape of every error."""

    error = fields.String(metadata={"description": "What went wrong, in a sentence"})
    details = fields.List(
        fields.Dict(),
        metadata={"description": "One object per fault: `path` in the request, a stable `code`, and a `message`"},
    )


class PaginationSchema(BaseSchema):
    """Where a page stands in its list."""

    total = fields.Integer(metadata={"description": "How many there are in all"})
    limit = fields.Integer(metadata={"description": "How many a page holds at most, as applied"})
    offset = fields.Integer(metadata={"description": "How many were passed over"})
    has_more = fields.Boolean(metadata={"description": "Whether there are more after this page"})


def pagination() -> fields.Nested:
    """The field that shows where a page stands."""
    return fields.Nested(
        PaginationSchema, attribute="page", metadata={"description": "Where the page stands in its list"}
    )


def page_limit(default: int) -> QueryInteger:
    """The field that says how long a page is."""
    return QueryInteger(
        load_default=default,
        validate=validate.Range(min=1),
        metadata={"description": "How many to return at most; more than 1000 is lowered to 1000"},
    )


class PageQuery(BaseSchema):
    """The query of a list with pages. A limit over 1000 is lowered, and shown so in the answer."""

    limit = page_limit(20)
    offset = QueryInteger(
        load_default=0, validate=validate.Range(min=0), metadata={"description": "How many to pass over"}
    )


def shown(description: str, **metadata: Any) -> fields.String:
    """A field that shows a text."""
    return fields.String(dump_only=True, metadata={"description": description, **metadata})


def in_our_words(field: fields.Field[Any]) -> dict[str, str]:
    """A field's messages, in the voice of all the others."""
    kind = next((words for kind, words in KINDS if isinstance(field, kind)), None)
    return {**IN_OUR_WORDS, "invalid": kind} if kind else IN_OUR_WORDS


def bounds(field: fields.Field[Any], validator: validate.Length | validate.Range) -> str:
    """What is said of a value that is too small or too large, long or short; the validator fills the numbers in."""
    both = validator.min is not None and validator.max is not None
    between = "{min} to {max}" if both else "at least {min}" if validator.min is not None else "at most {max}"
    if isinstance(validator, validate.Range):
        return f"must be {between}"
    return f"must have {between} {'items' if isinstance(field, fields.List) else 'characters'}"


def identifier(of: str) -> fields.String:
    """A field that shows an id."""
    return fields.String(dump_only=True, metadata={"description": f"The {of}'s id"})


def instant(what: str) -> fields.DateTime:
    """A field that shows an instant in UTC."""
    return fields.DateTime(format="iso", dump_only=True, metadata={"description": what})


def camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
