from django.contrib.auth import hashers
from django.core.validators import RegexValidator
from django.db import models

from hdms_common.identity import AGENT


class Role(models.TextChoices):
    requester = "requester"
    agent = AGENT


class User(models.Model):
    """Who uses the help desk. Of the password only its hash is kept."""

    username = models.CharField(
        max_length=40, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9._-]*\Z")]
    )
    email = models.EmailField(unique=True)
    full_name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.requester)
    password = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self):
        return self.username

    def set_password(self, text):
        self.password = hashers.make_password(text)

    def check_password(self, text):
        return hashers.check_password(text, self.password)
