"""The runner: claims an attempt, executes it, reports its outcome.

Knows the server only by its REST protocol: no database, no Flask, no Celery. Whatever starts an attempt (a Celery task,
a terminal) calls `worker.runner.Runner`.
"""
