"""The Celery application of a service, configured by its Django settings (CELERY_...)."""

import os

from celery import Celery


def make_app(service):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{service}.settings")
    from django.conf import settings

    # Celery prefers these variables to its configuration, and they lack the password that the settings added.
    os.environ.update(
        CELERY_BROKER_URL=settings.CELERY_BROKER_URL, CELERY_RESULT_BACKEND=settings.CELERY_RESULT_BACKEND
    )
    app = Celery(service)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.autodiscover_tasks()
    return app
