"""Celery reads some variables past its configuration: the password must be in what it uses."""

import os
import subprocess
import sys

PROGRAM = """
from file_service.celery import app
print(app.conf.broker_url, app.conf.result_backend, app.connection_for_write().as_uri(include_password=True))
"""


def test_celery_uses_the_urls_with_the_password():
    variables = {
        "REDIS_PASSWORD": "p@ss",
        "CELERY_BROKER_URL": "redis://sidecar:6379/2",
        "CELERY_RESULT_BACKEND": "redis://sidecar:6379/2",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    broker, results, connection = done.stdout.split()
    assert broker == results == "redis://:p%40ss@sidecar:6379/2"
    assert connection.startswith("redis://:p%40ss@sidecar:6379/2")
