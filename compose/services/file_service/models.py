import uuid

from django.db import models


class State(models.TextChoices):
    queued = "queued"
    scanning = "scanning"
    converting = "converting"
    done = "done"
    infected = "infected"
    failed = "failed"


UNFINISHED = (State.queued, State.scanning, State.converting)


class Upload(models.Model):
    """A file on its way: queued, scanned, converted if it is an image, done.

    Its bytes lie in MEDIA_ROOT under its id, never under the name its owner gave it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=40)
    content_type = models.CharField(max_length=100, blank=True)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.queued)
    percent = models.PositiveSmallIntegerField(default=0)
    detail = models.CharField(max_length=300, blank=True)
    scanned_by = models.CharField(max_length=40, blank=True)
    image_format = models.CharField(max_length=16, blank=True)
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-created_at", "id")
        indexes = (models.Index(fields=("state", "updated_at"), name="upload_by_state"),)

    def __str__(self):
        return f"{self.name} ({self.state})"

    @property
    def task_id(self):
        """The task's id is made of the upload's: a message queued twice is the same task."""
        return f"process-{self.pk}"
