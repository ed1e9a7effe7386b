"""A worker under the orchestrator's kind of deadline, with a task that takes a while and one that never ends."""

import threading

from config.logging import configure_logging
from config.settings import load_settings
from tasks import deadline
from tasks.celery_app import make_celery

LIMIT_S = 1.0

settings = load_settings()
configure_logging(settings)
app = make_celery(settings, task_acks_late=True, worker_pool="solo")
deadline.watch(LIMIT_S)


@app.task(name="slow")
def slow() -> None:
    threading.Event().wait(LIMIT_S / 2)


@app.task(name="endless")
def endless() -> None:
    threading.Event().wait()
