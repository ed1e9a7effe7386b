"""The whole configuration of each role, as its own process has it: whatever is changed in one is changed here too."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PRINT = """
import json, sys
from importlib import import_module
from celery import Celery
conf, defaults = import_module(sys.argv[1]).app.conf, dict(Celery().conf)
changed = {name: value for name, value in dict(conf).items() if name not in defaults or value != defaults[name]}
print(json.dumps({**changed, "task_queues": [queue.name for queue in conf.task_queues]}))
"""
"""What differs from Celery's defaults."""

COMMON = {
    "accept_content": ["json"],
    "broker_connection_max_retries": None,
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {
        "visibility_timeout": 60,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "max_retries": 0,
        "max_connections": 20,
        "global_keyprefix": "here:",
    },
    "broker_url": "redis+socket:///nowhere",
    "task_default_queue": "orchestrate",
    "task_ignore_result": True,
    "task_publish_retry": False,
    "task_queues": ["orchestrate", "maintenance"],
    "task_reject_on_worker_lost": False,
    "task_send_sent_event": True,
    "worker_consumer": "tasks.consumer:Consumer",
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "worker_prefetch_multiplier": 1,
    "worker_send_task_events": True,
}

ORCHESTRATOR = {
    "task_acks_late": True,
    "worker_pool": "solo",
}

RUNNER = {
    "task_queues": ["run.lab"],
    "worker_concurrency": 3,
    "worker_disable_prefetch": True,
    "worker_pool": "threads",
}


def configuration(module: str, tmp_path: Path, **settings: str) -> dict[str, Any]:
    """A module reads its settings when it is imported, so each is asked in a process of its own."""
    environ = {
        "BUILDSERVER_DATA_DIR": str(tmp_path),
        "BUILDSERVER_POOL": "lab",
        "BUILDSERVER_RUNNERS": "3",
        "BUILDSERVER_REDIS_PREFIX": "here:",
        "REDIS_URL": "unix:///nowhere",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **settings,
    }
    words = [sys.executable, "-c", PRINT, module]
    printed: dict[str, Any] = json.loads(subprocess.run(words, env=environ, capture_output=True, check=True).stdout)
    return printed


@pytest.mark.parametrize(
    ("module", "role"), [("tasks.orchestrator", ORCHESTRATOR), ("tasks.runner", RUNNER), ("tasks.monitor", {})]
)
def test_a_role_s_configuration_is_exactly_this(module: str, role: dict[str, Any], tmp_path: Path) -> None:
    assert configuration(module, tmp_path) == {**COMMON, **role}
