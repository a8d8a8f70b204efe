"""The API keeps what its OpenAPI document says, and its tokens keep others out.

With --full each route is tried 200 times.
"""

import http.client
import json

import pytest
import schemathesis
from control_site import envelope
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

VIEWER, OPERATOR = "viewer-token-1", "operator-token-1"
STREAMS = "/api/v1/events"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def examples(request):
    """How often each route is tried."""
    return 200 if request.config.getoption("--full") else 8


@pytest.mark.timeout(3600)
def test_every_route_keeps_its_contract_whatever_it_is_sent(site, examples):
    site.fill("celery", 5)
    site.redis.zadd("unacked_index", {"t": 1})
    site.redis.hset("unacked", "t", json.dumps([json.loads(envelope(tag="t")), "", "celery"]))
    host, port = site.sidecar.http_address
    schema = schemathesis.openapi.from_dict(site.get("/api/v1/openapi.json"))
    checks = [CHECKS.get_one(name) for name in ("not_a_server_error", "response_schema_conformance")]
    failures = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == STREAMS:
            continue

        @settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def try_it(case):
            response = case.call(base_url=f"http://{host}:{port}", timeout=10)
            case.validate_response(response, checks=checks)

        try:
            try_it()
        except Exception as error:  # every route is tried before the test fails
            failures.append(f"{operation.method} {operation.path}: {error}")
    assert failures == []
    assert site.sidecar.running


def routes(site):
    document = site.get("/api/v1/openapi.json", headers=bearer(OPERATOR))
    for path, methods in document["paths"].items():
        for method in methods:
            yield method.upper(), path.replace("{", "").replace("}", "")


def test_a_viewer_reads_and_an_operator_changes(sites):
    site = sites("--http-token", VIEWER, "--http-operator-token", OPERATOR)
    site.fill("celery", 2)
    for method, path in routes(site):
        if path in ("/healthz", "/readyz"):
            continue
        status, _ = site.sidecar.http(path, method=method, body=None if method == "GET" else "{}")
        assert status == 401, (method, path)
        if method == "POST":
            status, _ = site.sidecar.http(path, method=method, body="{}", headers=bearer(VIEWER))
            assert status == 403, (method, path)
    assert site.redis.llen("celery") == 2
    site.get("/api/v1/queues/celery/messages", headers=bearer(VIEWER))
    site.post("/api/v1/queues/celery/purge", {"expect": 2}, headers=bearer(OPERATOR))
    entry = site.get("/api/v1/audit", headers=bearer(VIEWER))["items"][0]
    assert entry["action"] == "purge"
    assert entry["by"].startswith("operator 127.0.0.1:")


@pytest.mark.parametrize("body", ["[]", "{", '"x"', '{"expect": "many"}', '{"tags": 5}', "[" * 100])
def test_a_body_that_makes_no_sense_is_refused(site, body):
    site.fill("celery", 1)
    status, text = site.sidecar.http("/api/v1/queues/celery/delete", method="POST", body=body)
    assert status == 400, text
    assert json.loads(text)["status"] == 400
    assert site.redis.llen("celery") == 1


def test_events_stream_what_operators_change(site):
    site.fill("celery", 1)
    connection = http.client.HTTPConnection(*site.sidecar.http_address, timeout=10)
    connection.request("GET", STREAMS)
    response = connection.getresponse()
    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
    site.post("/api/v1/queues/celery/pause")
    lines = []
    while not lines or not lines[-1].startswith("data: "):
        lines.append(response.readline().decode().rstrip("\n"))
    assert json.loads(lines[-1].removeprefix("data: "))["action"] == "pause"
    assert "event: change" in lines
    connection.close()
