"""How each program is started: its words, written once, for `up`, for the image and for the compose file.

What a program does is in its configuration (`tasks/celery_app.py`, `config/gunicorn.py`) and not on its command line,
so that whoever starts one by hand gets the same program.
"""

MIGRATE = ("python", "-m", "app.models.migrate")
API = ("gunicorn", "--config", "python:config.gunicorn", "app.wsgi:create()")


def orchestrator(name: str = "orchestrator") -> tuple[str, ...]:
    """`name` tells those of one machine apart; Flower shows it."""
    return ("celery", "--quiet", "-A", "tasks.orchestrator", "worker", "-n", f"{name}@%h")


def runner(name: str = "runner") -> tuple[str, ...]:
    """The same for runners."""
    return ("celery", "--quiet", "-A", "tasks.runner", "worker", "-n", f"{name}@%h")


def flower(address: str, port: int) -> tuple[str, ...]:
    """It watches events and needs the broker only."""
    return ("celery", "--quiet", "-A", "tasks.monitor", "flower", f"--address={address}", f"--port={port}")
