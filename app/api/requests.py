"""What every request gets: an id, a limit for its body, and a line in the log when it was answered."""

import time
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger(__name__)

COMPLETE = "Runner.complete_step"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
FREQUENT = frozenset({"Runner.extend_lease", "Runner.append_log"})
"""A running step sends these every few seconds; at level info they would hide everything else."""


def register(app: Flask, max_complete_body_bytes: int) -> None:
    """Have every request of the application begun and ended here. A report may be larger than other bodies: it holds
    a log."""

    @app.url_value_preprocessor
    def begin(endpoint: str | None, _values: dict[str, Any] | None) -> None:
        g.request_id = uuid4().hex
        g.began = time.monotonic()
        if endpoint == COMPLETE:
            request.max_content_length = max_complete_body_bytes

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        (log.debug if _is_minor() else log.info)("request", **_about(response))
        return response


def _is_minor() -> bool:
    return request.method in READS or request.endpoint in FREQUENT


def _about(response: Response) -> dict[str, Any]:
    """The path is quoted as it was sent, so that a line break in it begins no new line of the log."""
    return {
        "request_id": g.request_id,
        "method": request.method,
        "path": quote(request.path),
        "status": response.status_code,
        "took_ms": round((time.monotonic() - g.began) * 1000, 1),
    }
