"""What the acceptance tests do with a running stack, in the words of its users."""

import contextlib
import re
import secrets

import http_client
import psycopg
from environment import SERVICES
from redis import Redis

from support.polling import eventually


class Hdms:
    def __init__(self, stack):
        self.stack = stack

    @property
    def environment(self):
        return self.stack.environment

    def port(self, service):
        return self.environment.port(service)

    # Health.

    def health(self, service):
        return http_client.get(self.port(service), "/health/", timeout=35)

    def healthy(self, service):
        with contextlib.suppress(*http_client.CONNECTION_ERRORS):
            answer = self.health(service)
            return answer.status == 200 and answer.json()["status"] == "ok"
        return False

    def wait_connected(self, seconds=40, services=SERVICES):
        for service in services:
            eventually(
                lambda: self.healthy(service), seconds, 0.1, message=f"{service}: {self.last_word(service)}"
            )

    def last_word(self, service):
        try:
            return f"{self.health(service)}\n{self.stack.tail(service, 8)}"
        except http_client.CONNECTION_ERRORS as error:
            return f"{error}\n{self.stack.tail(service, 8)}"

    def check(self, service, name):
        (found,) = [each for each in self.health(service).json()["checks"] if each["name"] == name]
        return found

    def expect_log(self, name, pattern, seconds=40, since=0, asking=lambda: None):
        """The log line that an event must produce; returns it. asking(): what makes a process notice."""

        def look():
            asking()
            return re.search(f"^.*(?:{pattern}).*$", self.stack.logs(name)[since:], re.MULTILINE)

        found = eventually(
            look,
            seconds,
            0.2,
            message=f"{name} logged nothing like /{pattern}/:\n{self.stack.tail(name)}",
        )
        return found[0]

    def log_mark(self, name):
        return len(self.stack.logs(name))

    # Stores.

    def connect(self, database=None, password=None, **options):
        values = self.environment.values
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port("pgbouncer"),
            user=values["POSTGRES_USER"],
            password=values["POSTGRES_PASSWORD"] if password is None else password,
            dbname=database or values["POSTGRES_DB"],
            prepare_threshold=None,
            **{"autocommit": True, "connect_timeout": 5, **options},
        )

    def sql(self, query, *parameters, database=None):
        with self.connect(database) as connection:
            return connection.execute(query, parameters or None).fetchall()

    def pooler(self, query):
        """Rows of PgBouncer's own console, which speaks only the simple protocol."""
        with self.connect("pgbouncer", cursor_factory=psycopg.ClientCursor) as connection:
            cursor = connection.execute(query)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def redis(self, db=0):
        password = self.environment.values.get("REDIS_PASSWORD") or None
        return Redis("127.0.0.1", self.port("sidecar"), db=db, password=password, socket_timeout=10)

    # Users, tickets, rooms, files.

    def create_ticket(self, title, **options):
        return http_client.post(
            self.port("ticket-service"),
            "/api/tickets/",
            {"title": title, "description": "made by a test", "reporter": "tester"},
            **options,
        )

    def tickets(self):
        return http_client.get(self.port("ticket-service"), "/api/tickets/").json()

    def room(self):
        name = f"room{secrets.token_hex(3)}"
        answer = http_client.post(self.port("communication-service"), "/api/rooms/", {"name": name})
        assert answer.status in (200, 201), answer
        return name

    def upload(self, name="note.txt", content=b"hello", *kind, **options):
        return http_client.upload(self.port("file-service"), "/api/files/", name, content, *kind, **options)

    def file(self, number):
        return http_client.get(self.port("file-service"), f"/api/files/{number}/").json()
