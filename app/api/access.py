"""How views reach the services: one transaction per request, and paging in the contract's form."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import current_app

from app.api.errors import DatabaseSilent
from app.models.database import Database
from app.services.pages import Page, Row
from config.settings import Settings

T = TypeVar("T")


def transact(service: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a service that changes something, and commit."""
    return _database().transact(service, *args, **kwargs)


def read(service: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a service that only reads."""
    return _database().read(service, *args, **kwargs)


def settings() -> Settings:
    """The server's settings."""
    configured: Settings = current_app.extensions["buildserver.settings"]
    return configured


def leases_stand() -> bool:
    """Whether the database is away, and so every lease stands."""
    asked: Callable[[], bool] = current_app.extensions["buildserver.leases_stand"]
    return asked()


def paged(page: Page[Row]) -> dict[str, Page[Row] | Sequence[Row]]:
    """A page as the page schemas show it: its rows, and where they stand."""
    return {"rows": page.rows, "page": page}


def _database() -> Database:
    is_silent: Callable[[], bool] = current_app.extensions["buildserver.database_is_silent"]
    if is_silent():
        raise DatabaseSilent("it does not answer")
    database: Database = current_app.extensions["buildserver.database"]
    return database
