"""celery -A file_service worker"""

from celery.signals import setup_logging, worker_ready

from hdms_common.celery_app import make_app

app = make_app("file_service")


@setup_logging.connect
def use_django_logging(**_):
    """Django's settings say how to log; Celery would add handlers of its own."""


@worker_ready.connect
def recover(**_):
    """In the worker's main process, once in its life; the thread ends with it."""
    from file_service.recovery import Looking
    from file_service.tasks import process

    Looking(process).start()
