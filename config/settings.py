"""Every setting of every program, read from the environment once and handed on; nothing here is global.

An empty variable counts as unset, so that `NAME=${NAME:-}` in a compose file means the default.
"""

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from config.variables import SettingsError, Variable, choice, flag, folder, matching, seconds, size_bytes, whole

__all__ = ["Settings", "SettingsError", "load_settings", "variables"]

DAY_S = 86_400
DATABASE = matching(r"(sqlite:///|postgresql(\+psycopg)?://)\S.*", "sqlite:///… or postgresql://…")
REDIS = matching(r"(rediss?|unix)://\S+", "redis://…, rediss://… or unix:///…")
HTTP = matching(r"https?://[^\s/?#]+[^\s?#]*", "http://… or https://…")
HOST = matching(r"[A-Za-z0-9.:_%-]+", "a host name or an address to listen on")
POOL = matching(r"[a-z0-9][a-z0-9-]{0,62}", "up to 63 lower-case letters, digits and hyphens")
NAME = matching(r"[\w.:@-]{1,200}", "up to 200 letters, digits and . _ : @ -")
PREFIX = matching(r"[\w:.-]*", "letters, digits and _ : . -")
MAX_LOG_BYTES = 2 * 1024**3 - 1
"""The last offset that the API takes."""
MIN_BODY_BYTES = 512 * 1024
"""Runners send logs in pieces of 256 KiB."""
MAX_KILL_GRACE_S = 10
"""The server counts an attempt as over 15 s after its time limit, and its processes must be gone by then."""
DURATION = seconds(0.1, DAY_S)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Typed values; each field says which variable it comes from, its default, and what it accepts."""

    data_dir: Annotated[Path, Variable("BUILDSERVER_DATA_DIR", "~/.local/share/buildserver", folder)]
    database_url: Annotated[str, Variable("DATABASE_URL", "sqlite:///{data_dir}/buildserver.db", DATABASE)]
    redis_url: Annotated[str, Variable("REDIS_URL", "redis://127.0.0.1:6379/0", REDIS)]
    redis_prefix: Annotated[str, Variable("BUILDSERVER_REDIS_PREFIX", "buildserver:", PREFIX)]

    host: Annotated[str, Variable("BUILDSERVER_HOST", "127.0.0.1", HOST)]
    port: Annotated[int, Variable("BUILDSERVER_PORT", "3000", whole(1, 65_535))]
    trust_network: Annotated[bool, Variable("BUILDSERVER_TRUST_NETWORK", "false", flag)]
    """Allows an address that other machines reach, although there is no login yet."""
    api_url: Annotated[str, Variable("BUILDSERVER_API_URL", "http://127.0.0.1:{port}", HTTP)]
    api_workers: Annotated[int, Variable("BUILDSERVER_API_WORKERS", "1", whole(1, 64))]
    api_threads: Annotated[int, Variable("BUILDSERVER_API_THREADS", "32", whole(1, 512))]
    """Per process; each may hold one database connection, and none ever waits for a client."""
    api_connections: Annotated[int, Variable("BUILDSERVER_API_CONNECTIONS", "400", whole(10, 100_000))]
    """Per process; each may need a file besides, and systems commonly allow 1024 of both together."""
    client_timeout_s: Annotated[float, Variable("BUILDSERVER_CLIENT_TIMEOUT_S", "30", DURATION)]
    orchestrators: Annotated[int, Variable("BUILDSERVER_ORCHESTRATORS", "1", whole(1, 64))]
    stop_grace_s: Annotated[int, Variable("BUILDSERVER_STOP_GRACE_S", "8", whole(1, 600))]
    """Less than the ten seconds after which containers are killed."""

    runner_name: Annotated[str, Variable("BUILDSERVER_RUNNER_NAME", "{hostname}", NAME)]
    pool: Annotated[str, Variable("BUILDSERVER_POOL", "default", POOL)]
    runner_slots: Annotated[int, Variable("BUILDSERVER_RUNNERS", "2", whole(1, 1_000))]
    executor: Annotated[str, Variable("BUILDSERVER_EXECUTOR", "process", choice("process"))]
    work_dir: Annotated[Path, Variable("BUILDSERVER_WORK_DIR", "{data_dir}/work", folder)]

    lease_s: Annotated[float, Variable("BUILDSERVER_LEASE_S", "30", DURATION)]
    heartbeat_s: Annotated[float, Variable("BUILDSERVER_HEARTBEAT_S", "7", DURATION)]
    claim_deadline_s: Annotated[float, Variable("BUILDSERVER_CLAIM_DEADLINE_S", "8", DURATION)]
    sweep_interval_s: Annotated[float, Variable("BUILDSERVER_SWEEP_INTERVAL_S", "5", DURATION)]
    step_timeout_s: Annotated[int, Variable("BUILDSERVER_STEP_TIMEOUT_S", "3600", whole(1, DAY_S))]
    kill_grace_s: Annotated[float, Variable("BUILDSERVER_KILL_GRACE_S", "10", seconds(0, MAX_KILL_GRACE_S))]

    log_limit_bytes: Annotated[int, Variable("BUILDSERVER_LOG_LIMIT_BYTES", "64 MiB", size_bytes(most=MAX_LOG_BYTES))]
    allow_file_repos: Annotated[bool, Variable("BUILDSERVER_ALLOW_FILE_REPOS", "false", flag)]
    max_steps: Annotated[int, Variable("BUILDSERVER_MAX_STEPS", "10000", whole(1, 1_000_000))]
    max_edges: Annotated[int, Variable("BUILDSERVER_MAX_EDGES", "100000", whole(0, 100_000_000))]
    max_body_bytes: Annotated[int, Variable("BUILDSERVER_MAX_BODY_BYTES", "1 MiB", size_bytes(least=MIN_BODY_BYTES))]
    max_complete_body_bytes: Annotated[
        int, Variable("BUILDSERVER_MAX_COMPLETE_BODY_BYTES", "8 MiB", size_bytes(least=MIN_BODY_BYTES))
    ]

    log_level: Annotated[str, Variable("BUILDSERVER_LOG_LEVEL", "INFO", choice("DEBUG", "INFO", "WARNING", "ERROR"))]
    log_json: Annotated[bool, Variable("BUILDSERVER_LOG_JSON", "{not_a_terminal}", flag)]


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment asks for, by default this process's own. Raises SettingsError."""
    given = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    surroundings = {"hostname": socket.gethostname(), "not_a_terminal": not sys.stderr.isatty()}
    for field_name, variable in variables():
        text = given.get(variable.name) or variable.default.format(**surroundings, **values)
        values[field_name] = variable.read(text)
    settings = Settings(**values)
    if settings.heartbeat_s >= settings.lease_s:
        heartbeat = f"{settings.heartbeat_s:g}"
        raise SettingsError(
            "BUILDSERVER_HEARTBEAT_S", heartbeat, f"less than the lease of {settings.lease_s:g} seconds"
        )
    return settings


def variables() -> Iterator[tuple[str, Variable]]:
    """Each field's name and the variable it comes from, in an order in which defaults can be filled in."""
    hints = get_type_hints(Settings, include_extras=True)
    for field in fields(Settings):
        (variable,) = hints[field.name].__metadata__
        yield field.name, variable
