"""The Celery tasks in real workers on a real Redis, on each database."""
