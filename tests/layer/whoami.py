"""Prints the releases that a program of this suite runs with, and what it can import of this project."""

import importlib.metadata
import importlib.util
import json

NAMES = ("channels", "channels_redis", "django", "redis")
print(json.dumps({name: importlib.metadata.version(name) for name in NAMES}))
