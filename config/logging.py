"""One way of logging for every program: structlog through the standard library, as JSON lines or for a terminal.

Whatever writes a line (we, Celery, alembic, a traceback), credentials in URLs are taken out of the finished line.
"""

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any

import structlog
from structlog.typing import Processor

from config.redaction import without_credentials
from config.settings import Settings

SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)

LEVELS = {
    "alembic": logging.WARNING,  # tells of its plugins at every start, and whenever the schema's revision is read
    "celery.worker.strategy": logging.WARNING,  # says that a task was received, with nothing of what it is about,
    "celery.app.trace": logging.WARNING,  # and that it succeeded: every few seconds, for the sweep alone
    "waitress.queue": logging.ERROR,  # warns of every request that has to wait for a thread
    "celery.apps.worker": logging.INFO,  # says when a worker is ready, and `up` waits for that whatever the level
}


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """The last step before a line is written, so nothing gets round it."""

    def format(self, record: logging.LogRecord) -> str:
        return without_credentials(super().format(record))


def configure_logging(settings: Settings) -> None:
    """Send every logger of this process to standard error. Can be called again; the last call counts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        RedactingFormatter(
            foreign_pre_chain=SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a module's logger is made before the program has read its settings
    )


def log_context(**ids: Any) -> AbstractContextManager[None]:
    """Every line logged inside carries these: project, build, step, attempt. What is None is left out."""
    return structlog.contextvars.bound_contextvars(**{name: value for name, value in ids.items() if value is not None})


def _renderers(settings: Settings) -> list[Processor]:
    if settings.log_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback  # another one, where it is installed, shows variables, and takes seconds
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
