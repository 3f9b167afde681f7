"""The Celery app. Messages are wake-ups only: the database says what there is to do."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("recourse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["rollback.recovery", "rollback.approvals", "rollback.runs", "rollback.audit"])
