"""A runner of a pool, fed by Celery: `celery -A tasks.runner worker -Q run.<pool> -P threads -c <slots>`.

A message is acknowledged when it arrives: from the claim on, the lease covers what may go wrong. This process never
touches the database.
"""

import structlog
from celery import Celery
from celery.signals import worker_init, worker_shutting_down

from config.logging import configure_logging
from config.settings import load_settings
from tasks.celery_app import RUN, make_celery
from worker.api import NotFound, Refused, Unreachable
from worker.runner import Runner

log = structlog.get_logger(__name__)

settings = load_settings()
configure_logging(settings)
app: Celery = make_celery(settings)
app.conf.update(task_acks_late=False, worker_enable_remote_control=True)
runner = Runner(settings)


@app.task(name=RUN)
def run(step_id: str, attempt: int) -> None:
    """Run an attempt of a step; one that somebody else has, or that is over, is left alone."""
    try:
        runner.run(step_id, attempt)
    except (Refused, NotFound) as error:
        log.info("step not run", step=step_id, attempt=attempt, why=str(error))
    except Unreachable as error:
        log.warning("server unreachable; the step is sent again later", step=step_id, attempt=attempt, error=str(error))


@worker_init.connect
def get_ready(**_: object) -> None:
    runner.start()


@worker_shutting_down.connect
def hand_back(**_: object) -> None:
    """Celery waits for its threads when asked to end; this makes them end at once."""
    runner.stop()
