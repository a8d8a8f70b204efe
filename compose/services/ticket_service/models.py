from django.db import models


class Status(models.TextChoices):
    open = "open"
    in_progress = "in_progress"
    waiting = "waiting"
    resolved = "resolved"
    closed = "closed"


class Priority(models.TextChoices):
    low = "low"
    normal = "normal"
    high = "high"
    urgent = "urgent"


NEXT = {
    Status.open: {Status.in_progress, Status.resolved, Status.closed},
    Status.in_progress: {Status.open, Status.waiting, Status.resolved, Status.closed},
    Status.waiting: {Status.in_progress, Status.resolved, Status.closed},
    Status.resolved: {Status.in_progress, Status.closed},
    Status.closed: {Status.open},
}


class Ticket(models.Model):
    """People are known by their user names: the users themselves belong to another service."""

    title = models.CharField(max_length=200)
    description = models.TextField(max_length=20_000, blank=True)
    reporter = models.CharField(max_length=40)
    assignee = models.CharField(max_length=40, blank=True)
    priority = models.CharField(max_length=8, choices=Priority.choices, default=Priority.normal)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.open)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("status", "-id"), name="ticket_by_status"),
            models.Index(fields=("assignee", "-id"), name="ticket_by_assignee"),
            models.Index(fields=("reporter", "-id"), name="ticket_by_reporter"),
        )

    def __str__(self):
        return f"#{self.pk} {self.title}"

    def may_become(self, status):
        return status in NEXT[self.status]

    def become(self, status, author, note):
        """The ticket must be locked: of two changes at once the second sees the first."""
        change = self.changes.create(before=self.status, after=status, author=author, note=note)
        self.status = status
        self.save(update_fields=("status", "updated_at"))
        return change


class StatusChange(models.Model):
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="changes")
    before = models.CharField(max_length=16, choices=Status.choices)
    after = models.CharField(max_length=16, choices=Status.choices)
    author = models.CharField(max_length=40)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)


class Comment(models.Model):
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="comments")
    author = models.CharField(max_length=40)
    text = models.TextField(max_length=20_000)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
