"""The Celery tasks of the app, gathered so that workers know them by name."""
