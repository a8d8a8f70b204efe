"""The client side of an application, in either release of Celery, driven from the test."""

import json
import subprocess
import threading

from lab.programs import Program


class ClientError(Exception):
    """What the application's client raised, as text."""


class Client(Program):
    """One call at a time; what fails there is raised here as ClientError."""

    def __init__(self, environment, options, journal):
        super().__init__("celery-client", environment, options, journal)
        self._lock = threading.Lock()
        self.spawn_program(["-m", "lab.client_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, do, **arguments):
        with self._lock:
            assert self.running, f"the client ended:\n{self.log_tail()}"
            self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        assert line, f"the client ended:\n{self.log_tail()}"
        answer = json.loads(line)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["value"]

    def send(self, name, *args, kwargs=None, **options):
        """Returns the id. options: of apply_async; also eta_in, expires_in (seconds)."""
        return self.call("send", name=name, args=args, kwargs=kwargs, options=options)

    def send_many(self, name, labels, **options):
        return self.call("send_many", name=name, many=[[label] for label in labels], options=options)

    def start(self, workflow):
        """See lab.client_process.signature; returns {"id", "parents", "children"}."""
        return self.call("start", workflow=workflow)

    def result(self, id, timeout=30):
        return self.call("result", id=id, timeout=timeout)

    def inspect(self, method, *args, **options):
        """What `celery inspect METHOD` shows: node -> answer; None when nobody answers."""
        return self.call("inspect", method=method, args=args, **options)

    def control(self, method, *args, **options):
        return self.call("control", method=method, args=args, **options)
