"""python -m hdms_common.worker_health SERVICE: whether the Celery worker of this host answers."""

import importlib
import os
import socket
import sys

ANSWER_SECONDS = 5


def answers(service):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{service}.settings")
    app = importlib.import_module(f"{service}.celery").app
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "socket_timeout": ANSWER_SECONDS,
        "max_retries": 0,
    }
    name = f"celery@{socket.gethostname()}"
    return bool(app.control.ping(destination=[name], timeout=ANSWER_SECONDS))


def main():
    try:
        ok = answers(sys.argv[1])
    except Exception as error:
        print(f"the broker does not answer: {error}")
        return 1
    print("pong" if ok else f"no answer within {ANSWER_SECONDS} s")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
