"""A runner of a pool, fed by Celery: `celery -A tasks.runner worker`.

A message is acknowledged when it arrives: from the claim on, the lease covers what may go wrong. This process never
touches the database.
"""

from functools import partial

import structlog
from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutting_down

from config.logging import configure_logging, log_context
from config.settings import load_settings
from tasks import pulse
from tasks.broker_watch import UNREACHABLE
from tasks.celery_app import RUN, make_celery, pool_queue
from tasks.messages import is_attempt, is_id
from worker.api import Failing, NotFound, Refused
from worker.claiming import Unanswered
from worker.report import Undelivered
from worker.runner import Runner, Stopping

log = structlog.get_logger(__name__)

settings = load_settings()
configure_logging(settings)
app: Celery = make_celery(
    settings,
    [pool_queue(settings.pool)],
    task_acks_late=False,  # a message held while its step runs would be handed to a second runner
    worker_pool="threads",  # limits and cancels are the runner's own, and act on the step's processes
    worker_concurrency=settings.runner_slots,
    worker_disable_prefetch=True,  # a message waits in the queue, for whichever runner is free first
)
runner = Runner(settings)

pulse.watch(settings, "runner")


@app.task(name=RUN)
def run(step_id: str, attempt: int) -> None:
    """Run an attempt of a step; one that somebody else has, or that is over, is left alone.

    Out of the server's reach the message goes back for a runner that may be within it, and this one asks on, for the
    same attempt: it takes no other message until it is answered.
    """
    with log_context(step=step_id, attempt=attempt):
        if not is_id(step_id) or not is_attempt(attempt):
            log.warning("message dropped: it names no attempt of a step")
            return
        try:
            runner.run(step_id, attempt, unheard=partial(give_back, step_id, attempt))
        except Stopping:
            give_back(step_id, attempt)
        except (Refused, NotFound) as error:
            log.info("step not run: the server says no", why=str(error))
        except Failing as error:
            log.error("step not run: the server fails at it; the sweep sends it again", error=str(error))
        except Unanswered as error:
            log.warning("step not run: its claim was not answered, and is given back", error=str(error))
        except Undelivered as error:
            log.warning("result not taken", why=str(error))
        runner.rest()


def give_back(step_id: str, attempt: int) -> None:
    """Let another runner have a message that this one cannot use: else its step would wait for the claim's deadline."""
    try:
        app.send_task(RUN, (step_id, attempt), queue=pool_queue(settings.pool))
    except UNREACHABLE as error:
        log.warning("message not given back; the sweep sends it again", error=str(error))


@setup_logging.connect
def keep_logging(**_: object) -> None:
    """Celery leaves alone what is connected here: the logging above is the only one."""


@worker_init.connect
def get_ready(**_: object) -> None:
    """Celery goes on after whatever a signal's receiver raises, short of this; a supervisor starts it again."""
    try:
        runner.start()
    except Exception as error:
        log.exception("runner cannot start")
        raise SystemExit(1) from error


@worker_shutting_down.connect
def hand_back(**_: object) -> None:
    """Celery waits for its threads when asked to end; this makes them end at once. Called by its signal handler."""
    runner.request_stop()
