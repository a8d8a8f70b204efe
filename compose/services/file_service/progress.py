"""How far an upload is: 0 to 60 % the scan, 60 to 100 % the conversion.

Kept in the database, where the service reads it, and in the task's state, where Celery's tools do.
"""

import logging

from django.utils import timezone

from file_service.models import UNFINISHED, Upload
from hdms_common.database import once_more

logger = logging.getLogger("hdms.files")
SCAN_PERCENT = 60
IMAGE_STEP_PERCENT = 12
# Of a large file only every so many percent are worth a write.
WRITE_EVERY_PERCENT = 10


class Progress:
    def __init__(self, task, upload):
        self.task = task
        self.upload = upload
        self.scanned = 0
        self.percent = 0
        self.state = upload.state

    def step(self, state, percent):
        self.state = state
        self.percent = percent
        self.write(state=state, percent=percent)
        try:
            self.task.update_state(state="PROGRESS", meta={"step": str(state), "percent": percent})
        except Exception as error:
            logger.debug("upload %s: no progress in the result backend: %s", self.upload.pk, error)

    def on_bytes(self, count):
        self.scanned += count
        percent = SCAN_PERCENT * self.scanned // max(1, self.upload.size)
        if percent >= self.percent + WRITE_EVERY_PERCENT:
            self.step(self.state, min(percent, SCAN_PERCENT))

    def on_image_step(self):
        self.step(self.state, self.percent + IMAGE_STEP_PERCENT)

    def finish(self, state, **found):
        self.write(state=state, percent=100, **found)
        return str(state)

    def write(self, **values):
        """Repeating the write is harmless, and another delivery's end is not overwritten."""
        unfinished = Upload.objects.filter(pk=self.upload.pk, state__in=UNFINISHED)
        once_more(lambda: unfinished.update(updated_at=timezone.now(), **values))
