"""Uploads whose message is gone, as when Redis came back without its data: queued again.

A message that still waits may be doubled by this; processing an upload twice does no harm.
"""

import datetime
import logging

from django.utils import timezone

from file_service.models import UNFINISHED, Upload
from hdms_common.broker import publish
from hdms_common.database import once_more

logger = logging.getLogger("hdms.files")
# Longer than any retry of a task waits.
STALE_SECONDS = 600
AT_ONCE_MAX = 10_000


def requeue_unfinished(task, stale_seconds=STALE_SECONDS):
    """Returns how many were queued."""
    before = timezone.now() - datetime.timedelta(seconds=stale_seconds)
    stale = Upload.objects.filter(state__in=UNFINISHED, updated_at__lte=before)
    uploads = once_more(lambda: list(stale.order_by("updated_at")[:AT_ONCE_MAX]))
    for upload in uploads:
        publish(task, (str(upload.pk),), upload.task_id)
    if uploads:
        logger.warning("%d unfinished uploads, no news for %d s: queued again", len(uploads), stale_seconds)
    return len(uploads)
