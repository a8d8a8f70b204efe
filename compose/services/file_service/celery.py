"""celery -A file_service worker"""

import logging

from celery.signals import setup_logging, worker_ready

from hdms_common.celery_app import make_app

app = make_app("file_service")


@setup_logging.connect
def use_django_logging(**_):
    """Django's settings say how to log; Celery would add handlers of its own."""


@worker_ready.connect
def recover(**_):
    from file_service.recovery import requeue_unfinished
    from file_service.tasks import process

    try:
        requeue_unfinished(process)
    except Exception as error:
        logging.getLogger("hdms.files").warning("unfinished uploads could not be queued again: %s", error)
