"""The Celery application of a service, configured by its Django settings (CELERY_...)."""

import os

from celery import Celery


def make_app(service):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{service}.settings")
    app = Celery(service)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.autodiscover_tasks()
    return app
