"""Ends a worker whose task is stuck, whatever it is stuck in, with the way there on standard error.

Celery's own time limits act on child processes, and an orchestrator is one process. Whoever started it starts another,
and the task's message is delivered again. Only its database connection held the rows, so they are free at once.
"""

import faulthandler

from celery.signals import task_postrun, task_prerun

STDERR = 2  # Celery puts an object of its own where Python has the file


def watch(limit_s: float) -> None:
    """Have this process end with status 1 if one of its tasks takes longer. Needs a worker with one task at a time.

    The timer is a thread of C's: it asks for no lock that Python code could hold for ever.
    """

    def begin(**_: object) -> None:
        faulthandler.dump_traceback_later(limit_s, exit=True, file=STDERR)

    def end(**_: object) -> None:
        faulthandler.cancel_dump_traceback_later()

    task_prerun.connect(begin, weak=False)
    task_postrun.connect(end, weak=False)
