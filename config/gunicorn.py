"""How gunicorn serves the API: `gunicorn --config python:config.gunicorn 'app.wsgi:create()'`.

Every worker process makes its own application after the fork, so no connection and no thread is shared by two.
"""

from gunicorn import glogging

from config.logging import configure_logging
from config.settings import load_settings

_settings = load_settings()
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host

bind = f"{_host}:{_settings.port}"
worker_class = "app.api.serving.worker.Worker"
worker_connections = _settings.api_connections
workers = _settings.api_workers
threads = _settings.api_threads
preload_app = False
graceful_timeout = _settings.stop_grace_s
"""On SIGTERM requests that are being answered get this long; nothing new is accepted."""
timeout = 30
"""A worker process whose main loop says nothing for so long is replaced; a slow request does not silence it."""
control_socket_disable = True  # it would lie in the home folder, which a server has not got


class Log(glogging.Logger):
    """gunicorn's own lines, written like everybody else's."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        configure_logging(_settings)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = Log
