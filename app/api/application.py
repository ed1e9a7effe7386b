"""Makes the Flask application. It is given everything it uses, and starts nothing."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog
from flask import Flask, Response, g, redirect, request
from flask_smorest import Api
from flask_swagger_ui import get_swaggerui_blueprint

from app.api import audit, builds, health, images, projects, runner, steps, workflows
from app.api.errors import register_errors
from app.api.schemas.base import ErrorSchema
from app.models.database import Database
from config.settings import Settings

log = structlog.get_logger(__name__)

BLUEPRINTS = (
    projects.blueprint,
    workflows.blueprint,
    workflows.details,
    builds.blueprint,
    builds.details,
    images.blueprint,
    runner.blueprint,
    steps.blueprint,
    audit.blueprint,
    health.blueprint,
)
COMPLETE_SUFFIX = "/complete"


class ContractApi(Api):
    """flask-smorest's registry, with errors left to `app.api.errors` and each documented where it can happen."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        register_errors(self._app)


def create_app(settings: Settings, database: Database, broker_problem: Callable[[], str | None]) -> Flask:
    """The application for one process. `broker_problem` answers at once what is wrong with the broker, if anything."""
    app = Flask(__name__, static_folder=None)
    app.config.update(
        API_TITLE="Build Server API",
        API_VERSION="1.0.0",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_body_bytes,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # flask's default provider has it, its base class has not
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions["buildserver.settings"] = settings
    app.extensions["buildserver.database"] = database
    app.extensions["buildserver.broker_problem"] = broker_problem
    _register(app, settings)
    return app


def _register(app: Flask, settings: Settings) -> None:
    api = ContractApi(app, spec_kwargs={"info": {"description": "Projects, workflows and builds of a build server"}})
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "Build Server API"}))
    app.add_url_rule("/", "root", lambda: redirect("/docs/"))

    @app.url_value_preprocessor
    def begin(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
        g.request_id = uuid4().hex
        g.began = time.monotonic()
        if request.path.endswith(COMPLETE_SUFFIX):
            request.max_content_length = settings.max_complete_body_bytes

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        log.debug("request", **_about(response))
        return response


def _about(response: Response) -> dict[str, Any]:
    took_ms = round((time.monotonic() - g.began) * 1000, 1)
    return {"method": request.method, "path": request.path, "status": response.status_code, "took_ms": took_ms}
