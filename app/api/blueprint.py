"""The blueprint all parts of the API are made with: it reads requests strictly, and documents errors in one shape."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from flask_smorest import Blueprint as SmorestBlueprint

from app.api.parser import StrictParser
from app.api.schemas.base import ErrorSchema, camel_case
from app.domain.errors import NotFound

ERRORS = {
    400: "The request cannot be carried out as it stands; `details` says what is wrong, and where",
    404: "There is no such thing",
    409: "The request contradicts what the server already has; nothing was changed",
    413: "The body is larger than the server takes",
    415: "The body is not of the content type this operation takes",
    500: "Something went wrong in the server; the message carries the request's id",
    503: "The database cannot be used at the moment: away, busy or full; try again",
}
RETRY_AFTER = {"description": "After how many seconds to try again", "schema": {"type": "integer"}}

View = TypeVar("View", bound=Callable[..., Any])


class Blueprint(SmorestBlueprint):
    """A blueprint whose paths name things by id: `/{id}` of a project reaches its view as `project_id`."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._path_parameters: list[dict[str, str]] = []

    def path_id(self, parameter: str, argument: str, kind: str) -> None:
        """Take the path's `parameter` as `argument`; what is no id of ours is NotFound before anything is asked."""
        described = {"in": "path", "name": parameter, "description": f"The {kind.lower()}'s id"}
        self._path_parameters.append(described)

        @self.url_value_preprocessor
        def rename(_endpoint: str | None, values: dict[str, Any] | None) -> None:
            if values and parameter in values:
                values[argument] = known_id(values.pop(parameter), kind)

    def add_url_rule(self, rule: str, endpoint: str | None, view: View, **options: Any) -> None:
        """A route, with what the document says of every operation: the path's parameters, and the view's name."""
        options["parameters"] = list(self._path_parameters)
        documented = self.doc(operationId=camel_case(view.__name__))(view)
        super().add_url_rule(rule, endpoint, documented, **options)

    def errors(self, *codes: int) -> Callable[[View], View]:
        """Document that the view may answer with these errors, and with 500 and 503 as every view may."""

        def document(view: View) -> View:
            for code in sorted({*codes, 500, 503}):
                headers = {"Retry-After": RETRY_AFTER} if code == 503 else None
                view = self.alt_response(code, schema=ErrorSchema, description=ERRORS[code], headers=headers)(view)
            return view

        return document


def known_id(value: str, kind: str) -> str:
    """The id in the form the database keeps; NotFound where it cannot be one."""
    try:
        return str(UUID(value))
    except ValueError:
        raise NotFound(kind) from None
