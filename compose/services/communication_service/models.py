from django.db import models


class Room(models.Model):
    """last_number counts its messages; who adds one has the room locked, so numbers have no gaps."""

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120, blank=True)
    last_number = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self):
        return self.name


class Message(models.Model):
    """`reference` is the sender's: a message sent again because its answer was lost is stored once."""

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="messages")
    number = models.PositiveBigIntegerField()
    author = models.CharField(max_length=40)
    text = models.TextField(max_length=4000)
    reference = models.CharField(max_length=40, blank=True)
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("room", "number"), name="message_number"),
            models.UniqueConstraint(
                fields=("room", "author", "reference"),
                condition=~models.Q(reference=""),
                name="message_reference",
            ),
        )

    def as_json(self):
        return {
            "number": self.number,
            "author": self.author,
            "text": self.text,
            "reference": self.reference,
            "sent_at": self.sent_at.isoformat(),
        }


class Notification(models.Model):
    user = models.CharField(max_length=40)
    text = models.CharField(max_length=500)
    link = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("user", "-id"), name="notification_by_user"),)

    def as_json(self):
        return {
            "id": self.pk,
            "user": self.user,
            "text": self.text,
            "link": self.link,
            "created_at": self.created_at.isoformat(),
            "read": self.read_at is not None,
        }
