"""The Celery application, and its settings with their reasons.

Messages are hints: one that is lost, doubled or late changes nothing but the time. So no results are kept, Celery
retries nothing, and only the default exchange is used, which a FLUSHALL cannot unbind.
"""

from celery import Celery
from kombu import Queue

from config.settings import Settings

ORCHESTRATE = "orchestrate"
PLAN = "builds.plan"
DISPATCH = "builds.dispatch"
RUN = "steps.run"
SWEEP = "maintenance.sweep"

VISIBILITY_TIMEOUT_S = 60
"""Longer than twice the longest orchestrator task; runner tasks are acknowledged before they begin."""

TRANSPORT = {
    "visibility_timeout": VISIBILITY_TIMEOUT_S,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 10,  # a worker that dies holding it freezes redelivery for so long; the default is 300 s
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}


def make_celery(settings: Settings) -> Celery:
    """An application that talks to the settings' Redis; making it connects to nothing."""
    celery = Celery("buildserver", broker=celery_url(settings.redis_url))
    celery.conf.update(
        task_ignore_result=True,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        task_protocol=2,
        task_publish_retry=False,
        task_default_queue=ORCHESTRATE,
        task_queues=[Queue(ORCHESTRATE)],
        task_create_missing_queues=True,
        task_reject_on_worker_lost=False,
        task_send_sent_event=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_max_tasks_per_child=1_000,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={**TRANSPORT, "global_keyprefix": settings.redis_prefix},
    )
    return celery


def celery_url(redis_url: str) -> str:
    """Celery's form of a Redis URL: redis-py says `unix:///path`, Celery `redis+socket:///path`."""
    return redis_url.replace("unix://", "redis+socket://", 1) if redis_url.startswith("unix://") else redis_url


def pool_queue(pool: str) -> str:
    """The queue of a pool of runners."""
    return f"run.{pool}"
