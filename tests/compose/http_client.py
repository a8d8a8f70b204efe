"""HTTP as the services speak it, with nothing but the standard library."""

import http.client
import json
import secrets

CONNECTION_ERRORS = (OSError, http.client.HTTPException)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def request(port, method, path, body=None, headers=None, timeout=30):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def get(port, path, **options):
    return request(port, "GET", path, **options)


def post(port, path, value, **options):
    return request(port, "POST", path, json.dumps(value), {"Content-Type": "application/json"}, **options)


def upload(port, path, name, content, kind="application/octet-stream", **options):
    mark = secrets.token_hex(16)
    place = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    body = (
        f"--{mark}\r\n{place}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + content
        + f"\r\n--{mark}--\r\n".encode()
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    return request(port, "POST", path, body, headers, **options)
