"""The Celery application, and its settings with their reasons; each role's own are added by its module.

Messages are hints: one that is lost, doubled or late changes nothing but the time. So no results are kept, Celery
retries nothing, and only the default exchange is used, which a FLUSHALL cannot unbind. A worker's whole behaviour is
set here and not on its command line: see `config/commands.py`. What was decided against is in docs/decisions.
"""

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu import Queue

from config.settings import Settings
from tasks import transport

ORCHESTRATE = "orchestrate"
MAINTENANCE = "maintenance"
"""Sweeps alone, for the orchestrators too. Kombu takes from their queues in turn, so a sweep waits for one task, and
not for every hint that came before it."""
RUN = "steps.run"
SWEEP = "maintenance.sweep"

VISIBILITY_TIMEOUT_S = 60
"""Twice the orchestrator's time limit. The longest a lost orchestrator's message waits; the sweep is faster."""

TRANSPORT = {
    "visibility_timeout": VISIBILITY_TIMEOUT_S,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,  # every interval; by default every tenth
    "unacked_mutex_expire": 10,  # a worker that dies holding it freezes redelivery for so long; the default is 300 s
    "socket_timeout": 5,  # without one a publish to a frozen Redis never returns
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "max_retries": 0,  # of connecting, to send: by default a message waits for six seconds where nothing listens
    "max_connections": 20,  # per connection pool: a worker that leaks them meets a limit of its own, not Redis'
}

COMMON: dict[str, Any] = {
    "task_ignore_result": True,
    "result_backend": None,  # so there is no second place for a visibility timeout either
    "task_serializer": "json",
    "accept_content": ["json"],  # pickle would let whoever reaches the broker run code here
    "task_protocol": 2,
    "task_publish_retry": False,  # the relay and the sweep send again; one layer of retries
    "task_default_queue": ORCHESTRATE,
    "task_create_missing_queues": True,  # pools are made by naming them
    "task_reject_on_worker_lost": False,  # a task that kills its worker would go round for ever
    "task_send_sent_event": True,  # Flower shows what was sent, and to which queue
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # by default a worker gives up after 100 tries
    "worker_consumer": "tasks.consumer:Consumer",
    "worker_send_task_events": True,
    "worker_enable_remote_control": False,  # whoever reaches Flower could stop workers; it shows events without
    "worker_prefetch_multiplier": 1,  # what one worker hoards another cannot take
    "worker_hijack_root_logger": False,
}


def make_celery(settings: Settings, queues: Sequence[str] = (ORCHESTRATE, MAINTENANCE), **role: Any) -> Celery:
    """An application that talks to the settings' Redis; making it connects to nothing.

    `queues` are those its workers take from and Flower shows; `role` is added to COMMON.
    """
    transport.install()
    celery = Celery("buildserver", broker=celery_url(settings.redis_url))
    options = {**TRANSPORT, "global_keyprefix": settings.redis_prefix}
    taken = [Queue(queue) for queue in queues]
    celery.conf.update(COMMON, task_queues=taken, broker_transport_options=options, **role)
    return celery


def celery_url(redis_url: str) -> str:
    """Celery's form of a Redis URL: redis-py says `unix:///path`, Celery `redis+socket:///path`."""
    return redis_url.replace("unix://", "redis+socket://", 1) if redis_url.startswith("unix://") else redis_url


def pool_queue(pool: str) -> str:
    """The queue of a pool of runners."""
    return f"run.{pool}"
