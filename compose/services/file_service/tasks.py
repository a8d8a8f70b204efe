"""What the worker does with an upload: scan it, convert it if it is an image, tell how far it is.

A message may be delivered twice, and a worker may die in between: every step can be done again, and an upload
that is finished stays as it is.
"""

import logging
import uuid

from celery import shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError

from file_service import images, scanner, storage
from file_service.models import UNFINISHED, State, Upload
from file_service.progress import Progress
from hdms_common.database import once_more
from hdms_common.retry import backoff_delay

logger = logging.getLogger("hdms.files")
# Delays grow to a minute: about half an hour in all, long enough to replace a scanner or a database.
TRIES_MAX = 40
LONGEST_SECONDS = 60
# The upload's transaction is committed a moment after its message is queued, or never.
APPEARS_TRIES_MAX = 6


class NotThereYet(Exception):
    """The message came before the transaction that saves its upload."""


@shared_task(bind=True, max_retries=TRIES_MAX, name="file_service.process")
def process(self, upload_id):
    try:
        return processed(self, upload_id)
    except NotThereYet:
        if self.request.retries >= APPEARS_TRIES_MAX:
            logger.info("upload %s was never saved: nothing to do", upload_id)
            storage.remove(uuid.UUID(upload_id))
            return "missing"
        raise again(self, longest=2) from None
    except (scanner.ScannerUnavailable, OperationalError, InterfaceError) as error:
        if self.request.retries == 0:
            logger.warning("upload %s waits: %s", upload_id, error)
        if self.request.retries >= TRIES_MAX:
            fail(upload_id, f"gave up: {error}")
            return State.failed
        raise again(self, longest=LONGEST_SECONDS) from error


def again(task, longest):
    """The exception to raise. While the broker takes no new message, the old one must stay."""
    failures = task.request.retries + 1
    try:
        return task.retry(countdown=backoff_delay(failures, first=0.5, longest=longest), throw=False)
    except Reject as rejected:
        return Reject(rejected.reason, requeue=True)


def processed(task, upload_id):
    upload = once_more(lambda: Upload.objects.filter(pk=upload_id).first())
    if upload is None:
        raise NotThereYet
    if upload.state not in UNFINISHED:
        return upload.state
    progress = Progress(task, upload)
    original = storage.path_of(upload.pk, storage.ORIGINAL)
    if not original.is_file():
        return progress.finish(State.failed, detail="its bytes are gone from MEDIA_ROOT")
    progress.step(State.scanning, 0)
    try:
        verdict = scanner.scan(original, progress.on_bytes)
    except scanner.TooLarge as error:
        return progress.finish(State.failed, detail=str(error))
    if not verdict.clean:
        storage.remove(upload.pk)
        logger.warning("upload %s is infected: %s", upload_id, verdict.virus)
        return progress.finish(State.infected, detail=verdict.virus, scanned_by=verdict.scanned_by)
    return converted(progress, upload, original, verdict)


def converted(progress, upload, original, verdict):
    if not images.is_image(original):
        return progress.finish(State.done, detail="not an image", scanned_by=verdict.scanned_by)
    progress.step(State.converting, 60)
    large = storage.path_of(upload.pk, storage.CONVERTED)
    small = storage.path_of(upload.pk, storage.THUMBNAIL)
    try:
        found = images.convert(original, large, small, progress.on_image_step)
    except images.BadImage as error:
        return progress.finish(State.failed, detail=str(error)[:300], scanned_by=verdict.scanned_by)
    return progress.finish(
        State.done,
        scanned_by=verdict.scanned_by,
        image_format=found.image_format,
        width=found.width,
        height=found.height,
    )


def fail(upload_id, detail):
    Upload.objects.filter(pk=upload_id, state__in=UNFINISHED).update(state=State.failed, detail=detail[:300])
