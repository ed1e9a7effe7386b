"""The application Flower watches through: `celery -A tasks.monitor flower`. No tasks, no database, no API."""

from celery import Celery

from config.settings import load_settings
from tasks.celery_app import make_celery

app: Celery = make_celery(load_settings())
