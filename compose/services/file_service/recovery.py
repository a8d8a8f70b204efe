"""Uploads whose message is gone, as when Redis came back without its latest data: queued again.

A message that still waits may be doubled, once in STALE_SECONDS; processing an upload twice does no harm.
"""

import datetime
import logging
import threading

from django.db import connection
from django.utils import timezone

from file_service.models import UNFINISHED, Upload
from hdms_common.broker import publish
from hdms_common.database import in_transaction, once_more

logger = logging.getLogger("hdms.files")
# Longer than any retry of a task waits.
STALE_SECONDS = 300
LOOK_SECONDS = 30
AT_ONCE_MAX = 1000


def requeue_unfinished(task, stale_seconds=STALE_SECONDS):
    """Returns how many were queued. Several workers may look at once: each upload is taken by one."""
    before = timezone.now() - datetime.timedelta(seconds=stale_seconds)
    stale = Upload.objects.filter(state__in=UNFINISHED, updated_at__lte=before).order_by("updated_at")
    uploads = once_more(lambda: list(stale[:AT_ONCE_MAX]))
    count = sum(in_transaction(lambda: requeue(task, upload)) for upload in uploads)
    if count:
        logger.warning("%d unfinished uploads without news for %d s: queued again", count, stale_seconds)
    return count


def requeue(task, upload):
    """Undone when the broker refuses: the next look finds it again."""
    unchanged = Upload.objects.filter(pk=upload.pk, updated_at=upload.updated_at)
    if not unchanged.update(updated_at=timezone.now()):
        return 0
    publish(task, (str(upload.pk),), upload.task_id)
    return 1


class Looking(threading.Thread):
    """Looks now and then, for as long as the worker runs."""

    def __init__(self, task):
        super().__init__(name="requeue-unfinished", daemon=True)
        self.task = task
        self.ended = threading.Event()

    def run(self):
        while True:
            try:
                requeue_unfinished(self.task)
            except Exception as error:
                logger.info("unfinished uploads could not be queued again, later: %s", error)
            finally:
                connection.close()
            if self.ended.wait(LOOK_SECONDS):
                return
