"""The orchestrator: plans builds, hands ready steps to the pools, and sweeps up what a lost message left.

Run as `celery -A tasks.orchestrator worker -Q orchestrate`. Every task is safe to run twice, at once, or late.
"""

from collections.abc import Sequence

import structlog
from celery import Celery
from celery.signals import worker_process_init, worker_ready, worker_shutting_down
from kombu.exceptions import OperationalError

from app.domain.errors import NotFound
from app.models.database import Database
from app.services import dispatching, leases, planning
from app.services.dispatching import Dispatch
from config.logging import configure_logging
from config.settings import load_settings
from tasks.celery_app import DISPATCH, PLAN, RUN, SWEEP, make_celery, pool_queue
from tasks.ticker import Ticker

log = structlog.get_logger(__name__)

TIME_LIMIT_S = 30
SOFT_TIME_LIMIT_S = 20
"""A stuck task frees its row lock before its message is handed to another worker."""

settings = load_settings()
configure_logging(settings)
app: Celery = make_celery(settings)
app.conf.update(task_acks_late=True, task_time_limit=TIME_LIMIT_S, task_soft_time_limit=SOFT_TIME_LIMIT_S)
database = Database(settings.database_url)
ticker = Ticker(settings.sweep_interval_s, lambda: app.send_task(SWEEP, expires=settings.sweep_interval_s))


@app.task(name=PLAN)
def plan(build_id: str) -> None:
    """Release a new build's first steps and hand them out."""
    try:
        database.transact(planning.plan, build_id)
    except NotFound:
        log.warning("plan of an unknown build", build=build_id)
        return
    dispatch(build_id)


@app.task(name=DISPATCH)
def dispatch(build_id: str) -> None:
    """Hand a build's ready steps to their pools."""
    send(database.transact(dispatching.dispatch_build, build_id, settings.claim_deadline_s))


@app.task(name=SWEEP)
def sweep() -> None:
    """Find in the rows what no message brought: unplanned builds, runners that are lost, steps nobody claimed."""
    for build_id in database.read(planning.unplanned):
        database.transact(planning.plan, build_id)
    for step_id, attempt in database.read(leases.overdue):
        log.warning("attempt overdue", step=step_id, attempt=attempt)
        database.transact(leases.expire, step_id, attempt)
    send(database.transact(dispatching.dispatch_due, settings.claim_deadline_s))


def send(dispatches: Sequence[Dispatch]) -> None:
    """Publish a message per dispatch. One that cannot be sent is sent again by the sweep, when its stamp is due."""
    try:
        for each in dispatches:
            app.send_task(RUN, (each.step_id, each.attempt), queue=pool_queue(each.pool))
    except OperationalError as error:
        log.warning(
            "broker unreachable; the sweep will send these steps again", steps=len(dispatches), error=str(error)
        )


@worker_ready.connect
def start_sweeping(**_: object) -> None:
    ticker.start()


@worker_shutting_down.connect
def stop_sweeping(**_: object) -> None:
    ticker.stop()


@worker_process_init.connect
def forget_connections(**_: object) -> None:
    """A connection of the parent's must not be used by two processes."""
    database.engine.dispose(close=False)
