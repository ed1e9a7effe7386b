"""The orchestrator: plans builds, hands ready steps to the pools, and sweeps up what a lost message left.

Run as `celery -A tasks.orchestrator worker`. Every task is safe to run twice, at once, or late, and trusts no message:
it takes an id and reads the rows.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, worker_ready, worker_shutting_down
from sqlalchemy.exc import DBAPIError

from app.domain.errors import NotFound
from app.models import Build
from app.models.database import Database
from app.models.database_errors import is_unavailable
from app.models.hints import DISPATCH, PLAN
from app.services import leases, planning
from config.logging import configure_logging, log_context
from config.settings import load_settings
from tasks import deadline, pulse
from tasks.celery_app import MAINTENANCE, SWEEP, VISIBILITY_TIMEOUT_S, make_celery
from tasks.messages import is_id
from tasks.outbox import Outbox
from tasks.queues import waiting
from tasks.ticker import Ticker

log = structlog.get_logger(__name__)

TASK_LIMIT_S = VISIBILITY_TIMEOUT_S / 2
"""A stuck task frees the rows it holds before its message reaches another orchestrator."""

settings = load_settings()
configure_logging(settings)
app: Celery = make_celery(
    settings,
    task_acks_late=True,  # every task may run twice, so a worker that dies costs no message
    worker_pool="solo",  # one process, one task at a time; for more at once there are more orchestrators
)
database = Database(settings.database_url, patience_s=TASK_LIMIT_S / 2)
outbox = Outbox(app, database, settings.claim_deadline_s)

deadline.watch(TASK_LIMIT_S)
pulse.watch(settings, "orchestrator")


@app.task(name=PLAN)
def plan(build_id: str) -> None:
    """Release a new build's first steps and hand them out."""
    with log_context(build=build_id), database_there():
        if not is_id(build_id):
            log.warning("message dropped: it names no build")
            return
        log.debug("planning")
        try:
            build = database.transact(planning.plan, build_id)
        except NotFound:
            log.warning("message dropped: there is no such build")
            return
        log.info("build planned", project=build.project_id)
        outbox.hand_out(build_id)


@app.task(name=DISPATCH)
def dispatch(build_id: str) -> None:
    """Hand a build's ready steps to their pools."""
    with log_context(build=build_id), database_there():
        if not is_id(build_id):
            log.warning("message dropped: it names no build")
            return
        outbox.hand_out(build_id)


@app.task(name=SWEEP)
def sweep() -> None:
    """Find in the rows what no message brought: runners that are lost, unplanned builds, steps nobody claimed.

    What becomes ready by it is handed out at once.
    """
    with database_there():
        look()
        log.debug("swept")


@contextmanager
def database_there() -> Iterator[None]:
    """Whatever a task would do inside is in the rows, for the next sweep, should the database be away."""
    try:
        yield
    except DBAPIError as error:
        if not is_unavailable(error):
            raise
        log.warning("database unavailable; the next sweep looks again", error=str(error.orig))


def look() -> None:
    """Everything a sweep does, the longest waited for first."""
    for step_id, attempt in database.read(leases.overdue, settings.lease_s):
        with log_context(step=step_id, attempt=attempt):
            log.warning("attempt overdue")
            attend(leases.expire, step_id, attempt, settings.lease_s)
    for build_id in database.read(planning.unplanned):
        with log_context(build=build_id):
            attend(planning.plan, build_id)
    outbox.hand_out_lost()


def attend(service: Callable[..., Build], *ids: Any) -> None:
    """One finding of the sweep. What cannot be done about it is logged and must not keep the others waiting."""
    try:
        outbox.hand_out(database.transact(service, *ids).id)
    except Exception:  # a row that nobody can read, say
        log.exception("the sweep cannot settle this; it will try again")


def ask_for_sweep() -> None:
    """Unless one waits already, which every orchestrator may have asked for: they are not to be caught up with."""
    if not waiting(app, MAINTENANCE):
        app.send_task(SWEEP, queue=MAINTENANCE)


ticker = Ticker(settings.sweep_interval_s, ask_for_sweep)


@setup_logging.connect
def keep_logging(**_: object) -> None:
    """Celery leaves alone what is connected here: the logging above is the only one."""


@worker_ready.connect
def start_sweeping(**_: object) -> None:
    ticker.start()


@worker_shutting_down.connect
def stop_sweeping(**_: object) -> None:
    """Called by Celery's signal handler."""
    ticker.request_stop()
