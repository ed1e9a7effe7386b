"""Puts the API process together: settings, database, relay, presence and application.

How it is served: `config/gunicorn.py`.
"""

from flask import Flask
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from app.api.application import create_app
from app.api.presence import Presence
from app.models.database import Database
from config.logging import configure_logging
from config.settings import Settings, load_settings
from tasks.celery_app import make_celery
from tasks.relay import Relay

BROKER_TIMEOUT_S = 1.0
KEPT_S = 60
REQUEST_PATIENCE_S = 8.0
"""After so long a request in vain is answered 503. SQLite's own wait for a lock is longer: then one is all there is."""


def create(settings: Settings | None = None) -> Flask:
    """The application with everything it needs, from the environment unless settings are given."""
    settings = settings or load_settings()
    configure_logging(settings)
    relay = Relay(make_celery(settings))
    database = Database(settings.database_url, settings.api_threads, relay.put, REQUEST_PATIENCE_S)
    presence = Presence(database, settings.lease_s)
    presence.start()
    broker_problem = BrokerCheck(settings.redis_url, settings.redis_prefix)
    return create_app(settings, database, broker_problem, presence.leases_stand, presence.database_is_silent)


class BrokerCheck:
    """Has the broker store something, and waits no longer than BROKER_TIMEOUT_S for it: one that is full, or that only
    copies another one, answers every ping."""

    def __init__(self, redis_url: str, prefix: str) -> None:
        self._redis = Redis.from_url(
            redis_url, socket_timeout=BROKER_TIMEOUT_S, socket_connect_timeout=BROKER_TIMEOUT_S
        )
        self._key = f"{prefix}readyz"

    def __call__(self) -> str | None:
        try:
            self._redis.set(self._key, "", ex=KEPT_S)
        except ResponseError as error:
            return f"the broker takes no messages, and steps are sent once it does: {error}"
        except RedisError as error:
            return f"the broker cannot be reached: {error}; start Redis, or set REDIS_URL to one that runs"
        return None
