"""Makes the Flask application. It is given everything it uses, and starts nothing."""

from collections.abc import Callable
from importlib.metadata import metadata

from flask import Flask, redirect
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Api

from app.api import audit, builds, docs, health, images, projects, requests, runner, steps, workflows
from app.api.errors import register_errors
from app.api.schemas.base import ErrorSchema
from app.models.database import Database
from config.settings import Settings

BLUEPRINTS = (
    projects.blueprint,
    workflows.blueprint,
    builds.blueprint,
    images.blueprint,
    runner.blueprint,
    steps.blueprint,
    audit.blueprint,
    health.blueprint,
)


class ContractApi(Api):
    """flask-smorest's registry, with errors left to `app.api.errors` and each documented where it can happen."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        register_errors(self._app)

    def _register_pagination_header(self) -> None:
        """Pages are described by the contract's `pagination` field, not by the library's header."""


class UnsortedJson(DefaultJSONProvider):
    """Fields in the order in which a schema declares them."""

    sort_keys = False


def create_app(
    settings: Settings,
    database: Database,
    broker_problem: Callable[[], str | None],
    leases_stand: Callable[[], bool] = lambda: False,
    database_is_silent: Callable[[], bool] = lambda: False,
) -> Flask:
    """The application for one process. What it is told by others, at once: `broker_problem`, what is wrong with the
    broker, if anything; `leases_stand`, whether heartbeats are to be answered without the database;
    `database_is_silent`, whether nothing else is to wait for it."""
    package = metadata("buildserver")
    app = Flask(__name__, static_folder=None)
    app.config.update(
        API_TITLE="Build Server API",
        API_VERSION=package["Version"],
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_body_bytes,
    )
    app.json = UnsortedJson(app)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions["buildserver.settings"] = settings
    app.extensions["buildserver.database"] = database
    app.extensions["buildserver.broker_problem"] = broker_problem
    app.extensions["buildserver.leases_stand"] = leases_stand
    app.extensions["buildserver.database_is_silent"] = database_is_silent
    requests.register(app, settings.max_complete_body_bytes)
    _register(app, package["Summary"])
    return app


def _register(app: Flask, summary: str) -> None:
    here = {"url": "/", "description": "This server"}
    api = ContractApi(app, spec_kwargs={"info": {"description": summary}, "servers": [here]})
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(docs.blueprint)
    app.add_url_rule("/", "root", lambda: redirect("/docs/"))
