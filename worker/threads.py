"""Threads of one attempt."""

import errno
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any


def start_thread(name: str, target: Callable[..., object], *args: Any) -> threading.Thread:
    """A thread that ends with the process, and whose log lines name the attempt as the caller's do.

    Raises OSError where the machine has no room for one, as it does for everything else that it lacks.
    """
    thread = threading.Thread(target=copy_context().run, args=(target, *args), name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from error
    return thread
