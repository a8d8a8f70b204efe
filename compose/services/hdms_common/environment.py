"""The environment of a service: the only place that reads variables, so that each one is known by name.

A service's own `.env` fills in what the process's environment does not set.
"""

import urllib.parse
from pathlib import Path

import environ

SERVICES_ROOT = Path(__file__).resolve().parent.parent


class Environment(environ.Env):
    """django-environ, remembering the names that were asked for: `.env.example` must list each of them."""

    def __init__(self):
        super().__init__()
        self.asked = set()

    def get_value(self, var, *arguments, **named):
        self.asked.add(str(var))
        return super().get_value(var, *arguments, **named)

    def optional(self, name, default=""):
        """A string; an empty variable counts as unset."""
        return self.str(name, default="") or default

    def number(self, name, default, least=0):
        text = self.optional(name, str(default))
        try:
            value = float(text)
        except ValueError:
            raise environ.ImproperlyConfigured(f"{name}: {text!r} is not a number") from None
        if not least <= value < float("inf"):
            raise environ.ImproperlyConfigured(f"{name}: {text} is less than {least}")
        return int(value) if value == int(value) else value

    def flag(self, name, default):
        text = self.optional(name, str(default)).lower()
        if text not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            raise environ.ImproperlyConfigured(f"{name}: {text!r} is neither true nor false")
        return text in ("1", "true", "yes", "on")

    def choice(self, name, *values):
        """One of the values; the first is the default."""
        text = self.optional(name, values[0])
        if text not in values:
            raise environ.ImproperlyConfigured(f"{name}: {text!r} is none of {', '.join(values)}")
        return text

    def names(self, name, default):
        return [each.strip() for each in self.optional(name, default).split(",") if each.strip()]

    def redis_url(self, name, database):
        """The URL of one database; host, port and password come from REDIS_* where the URL says nothing."""
        host = self.optional("REDIS_HOST", "sidecar")
        port = self.number("REDIS_PORT", 6379)
        password = self.optional("REDIS_PASSWORD")
        return with_password(self.optional(name, f"redis://{host}:{port}/{database}"), password)


def read_environment(service):
    environment = Environment()
    own_file = SERVICES_ROOT / service / ".env"
    if own_file.is_file():
        Environment.read_env(own_file)
    return environment


def with_password(url, password):
    """The URL with the password in it, unless it names one."""
    parts = urllib.parse.urlsplit(url)
    if not password or "@" in parts.netloc:
        return url
    quoted = urllib.parse.quote(password, safe="")
    return urllib.parse.urlunsplit(parts._replace(netloc=f":{quoted}@{parts.netloc}"))


def masked(url):
    """The URL as logs may show it: no password, and no query, which may name secrets."""
    parts = urllib.parse.urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    shown = f"{user.partition(':')[0]}:***@{place}" if at and ":" in user else parts.netloc
    return urllib.parse.urlunsplit((parts.scheme, shown, parts.path, "", ""))
