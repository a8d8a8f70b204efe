"""Queueing a task from a request: either the broker has it, or the request is answered 503.

Called as the last thing inside the request's transaction: when the broker refuses, the transaction is undone.
The other way round, a task whose transaction is undone afterwards finds nothing to work on, and ends.
"""

import time

from celery.exceptions import OperationalError as CeleryOperationalError
from celery.result import denied_join_result
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from hdms_common import connections
from hdms_common.failures import Unavailable
from hdms_common.retry import backoff_delay

FAILURES = (OperationalError, CeleryOperationalError, RedisError, OSError)
# Longer than a sidecar holds commands back while Redis restarts (3 s).
ANSWER_SECONDS = 4


def publish(task, arguments, task_id):
    """Queues the task under the id. Raises Unavailable, also when only the answer was lost."""
    deadline = time.monotonic() + settings.HDMS_BROKER_RETRY_SECONDS
    failures = 0
    if not connections.broker.due():
        raise Unavailable("the broker")
    while True:
        try:
            publish_once(task, arguments, task_id)
        except FAILURES as error:
            connections.broker.lost(error)
            failures += 1
            delay = backoff_delay(failures)
            if time.monotonic() + delay > deadline:
                raise Unavailable("the broker") from error
            time.sleep(delay)
        else:
            connections.broker.answered()
            return


def publish_once(task, arguments, task_id):
    """On a connection of its own, so that a failure is seen here and at once, not retried within kombu."""
    options = {
        **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "max_retries": 0,
    }
    connection = task.app.connection_for_write(transport_options=options, connect_timeout=ANSWER_SECONDS)
    # Who may wait for results subscribes to each, on a connection that waits for Redis without end.
    with connection, denied_join_result():
        task.apply_async(arguments, task_id=task_id, connection=connection, retry=False)
