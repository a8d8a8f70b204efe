"""peek shows what real clients sent, whatever serializer and compression; hostile messages harm nobody."""

import base64
import bz2
import json
import pickle
import time
import zlib

import kombu.compression
import pytest

from lab.commands import Commands
from lab.environments import Environment
from lab.kombu_peer import message
from support import eventually

ARGUMENTS = ["text ä€😀", 7, -1.5, True, None, ["nested", {"deep": [1, 2]}]]
KEYWORDS = {"customer": 42, "password": "hunter2", "nested": {"api_key": "k-123", "kept": "shown"}}
NAMES = {
    "application/x-gzip": "zlib",
    "application/x-bz2": "bzip2",
    "application/x-lzma": "xz",
    "application/zstd": "zstd",
}
COMPRESSIONS = sorted({NAMES[name] for name in kombu.compression.encoders() if name in NAMES})


@pytest.fixture
def peek(site):
    """peek("celery", ...): the messages, as the command's JSON has them."""
    run = Commands(site.http_url)

    def ask(*arguments):
        done = run("peek", *arguments, "--json")
        assert done.status == 0, done
        return done.json["items"]

    return ask


def check_shown(shown, sent):
    assert shown["id"] == sent and shown["task"] == "lab.record"
    assert shown["args"] == ARGUMENTS
    assert shown["kwargs"]["customer"] == 42 and shown["kwargs"]["nested"]["kept"] == "shown"
    everything = json.dumps(shown)
    assert "hunter2" not in everything and "k-123" not in everything, "secrets are masked, in texts too"
    assert not shown["undecoded"]


@pytest.mark.parametrize("protocol", [1, 2])
@pytest.mark.parametrize("serializer", ["json", "pickle", "msgpack", "yaml"])
def test_each_serializer_and_protocol(environment, clients, apps, peek, serializer, protocol):
    client = clients(environment, apps(serializer=serializer, protocol=protocol))
    sent = client.send("lab.record", *ARGUMENTS, kwargs=KEYWORDS)
    (shown,) = peek("celery")
    check_shown(shown, sent)
    assert shown["kind"] == "task" and shown["protocol"] == protocol


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("protocol", [1, 2])
def test_each_compression(clients, apps, peek, compression, protocol):
    client = clients(Environment.newest, apps(protocol=protocol))
    sent = client.send("lab.record", *ARGUMENTS, kwargs=KEYWORDS, compression=compression)
    (shown,) = peek("celery")
    check_shown(shown, sent)
    packed = client.send("lab.record", "x" * 200_000, compression=compression, serializer="pickle")
    shown = peek("celery")[1]
    assert shown["id"] == packed and shown["size_bytes"] < 10_000
    assert shown["args"][0].startswith("xxxx") and shown["plain_bytes"] > 200_000


def test_all_compressions_that_kombu_has_here_are_tried():
    assert {"bzip2", "xz", "zlib"} <= set(COMPRESSIONS)


def test_zstd_whether_or_not_python_has_it_here(peek, site):
    """A frame of one stored block, as its format describes it."""
    body = json.dumps(call_of("stored")).encode()
    block = (len(body) << 3 | 1).to_bytes(3, "little") + body
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(body).to_bytes(4, "little") + block
    site.upstream("LPUSH", "celery", envelope(frame, compression="application/zstd"))
    assert peek("celery")[0]["args"] == ["stored"]


def test_the_table_shows_it_on_one_line_each(clients, apps, site):
    client = clients(Environment.newest, apps())
    client.send(
        "lab.record", "line\nbreak \x1b[31m", kwargs={"token": "t0p", "plain": "p"}, serializer="pickle"
    )
    table = Commands(site.http_url)("peek", "celery")
    assert table.status == 0 and len(table.rows()) == 1
    assert "\x1b" not in table.out and "t0p" not in table.out and "plain" in table.out


def test_masks_of_ones_own(sites, clients, apps):
    site = sites("--broker-mask", "iban", "--broker-mask", "^pin$")
    client = clients(Environment.newest, apps(broker=site.broker, serializer="pickle"))
    client.send("lab.record", kwargs={"IBAN": "DE00", "pin": 1234, "spin": "left", "password": "seen"})
    kwargs = site.api("/queues/celery/messages")["items"][0]["kwargs"]
    assert kwargs["IBAN"] != "DE00" and kwargs["pin"] != 1234
    assert kwargs["spin"] == "left" and kwargs["password"] == "seen"
    repr_of = site.api("/queues/celery/messages")["items"][0]["kwargsrepr"]
    assert "DE00" not in repr_of and "1234" not in repr_of


# --- hostile


class Bomb:
    """Unpickled it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def envelope(body, content_type="application/json", **headers):
    """An element whose body has these bytes."""
    element = json.loads(message(**headers))
    element["body"] = base64.b64encode(body).decode()
    element["content-type"] = content_type
    if content_type == "application/x-python-serialize":
        element["content-encoding"] = "binary"
    return json.dumps(element).encode()


def call_of(*args, **kwargs):
    return [list(args), kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]


def test_a_pickle_that_would_execute_is_shown_and_not_executed(site, peek, tmp_path):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        body = pickle.dumps(call_of(Bomb(tmp_path / "made"), "beside it"), protocol)
        site.upstream("LPUSH", "celery", envelope(body, "application/x-python-serialize"))
    shown = peek("celery")
    assert len(shown) == pickle.HIGHEST_PROTOCOL + 1
    for one in shown:
        assert one["args"][1] == "beside it" and "open" in json.dumps(one["args"][0]), one
    assert not (tmp_path / "made").exists()


HOSTILE = {
    "bad base64": lambda: message().replace(b"W1tdLCB7fSwge31d", b"*** not base64 ***"),
    "zip bomb": lambda: envelope(zlib.compress(b"[" + b"0," * 100_000_000), compression="application/x-gzip"),
    "bzip2 bomb": lambda: envelope(bz2.compress(b"0" * 400_000_000), compression="application/x-bz2"),
    "deep JSON": lambda: envelope(b"[" * 1_000_000),
    "deep pickle": lambda: envelope(b"\x80\x02" + b"]" * 1_000_000 + b".", "application/x-python-serialize"),
    "pickle that grows": lambda: envelope(
        b"\x80\x02]q\x00" + b"(h\x00h\x00eq\x00" * 100_000 + b".", "application/x-python-serialize"
    ),
    "yaml aliases": lambda: envelope(
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 113)),
        "application/x-yaml",
    ),
    "msgpack that lies": lambda: envelope(b"\xdd\xff\xff\xff\xff\x01", "application/x-msgpack"),
    "unknown compression": lambda: envelope(b"[]", compression="application/x-brotli-of-tomorrow"),
    "no JSON": lambda: b"\x00\x01\x02 not json",
    "another library's": lambda: b'{"job": 1, "queue": "default"}',
    "half a message": lambda: message()[:200],
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_message_is_refused_and_the_next_one_shown(site, peek, hostile):
    """Each says why; neither the sidecar's memory nor anybody's patience is used up."""
    site.upstream("LPUSH", "celery", hostile())
    site.upstream("LPUSH", "celery", envelope(json.dumps(call_of("good")).encode()))
    before = site.sidecar.resident_bytes()
    begin = time.monotonic()
    refused, good = peek("celery")
    assert time.monotonic() - begin < 5
    assert refused["undecoded"], refused
    assert good["args"] == ["good"]
    assert site.sidecar.resident_bytes() < before + (150 << 20)


def test_a_message_of_50_mb_blocks_nobody(site, clients, apps):
    """Its head is shown, its body stays closed; Redis and other clients go on meanwhile."""
    large = envelope(json.dumps(call_of("x" * (50 << 20))).encode(), argsrepr="('xxx...',)")
    site.upstream("LPUSH", "celery", large)
    site.upstream("CONFIG", "SET", "slowlog-log-slower-than", "10000")
    site.upstream("SLOWLOG", "RESET")
    sent = clients(Environment.newest, apps()).send("lab.record", "behind it")
    eventually(lambda: site.depth() == 2)
    run = Commands(site.http_url)
    first = run("peek", "celery", "--json").json
    shown = first["items"]
    assert len(shown) == 1, "a page ends with the first that is so large"
    rest = run("peek", "celery", "--json", "--cursor", first["next"]).json
    assert [one["id"] for one in rest["items"]] == [sent] and rest["exact"]
    assert shown[0]["size_bytes"] == len(large) and shown[0]["undecoded"] and shown[0]["task"] == "lab.record"
    slow = [entry[3][0].upper() for entry in site.upstream("SLOWLOG", "GET", 128)]
    # Redis copies it for the first page, for the second to find the cursor's message, and when the list is
    # met for the first time. No script does, which would copy it three times.
    assert slow.count(b"LRANGE") <= 2 and slow.count(b"LINDEX") <= 1, slow
    assert set(slow) <= {b"LPUSH", b"LRANGE", b"LINDEX"}, slow


def test_lists_of_other_libraries_are_no_queues_of_celery(site, clients, apps, peek):
    site.upstream("LPUSH", "rq:queue:default", b"3f6c2b0e-job-id")
    site.upstream("LPUSH", "bull:mail:wait", b"17")
    sent = clients(Environment.newest, apps()).send("lab.record", "a")
    eventually(lambda: "celery" in Commands(site.http_url)("queues").out, 15, 0.2)
    names = [one["name"] for one in site.api("/queues")["items"]]
    assert names == ["celery"], names
    assert peek("celery")[0]["id"] == sent
