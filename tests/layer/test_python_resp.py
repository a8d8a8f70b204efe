"""sidecar_channels.resp: replies are the same however their bytes are cut, and the same as redis-py's."""

import pytest
from redis.exceptions import InvalidResponse, ResponseError
from sidecar_channels import resp
from sidecar_channels.resp import MORE, PythonReader, pack

REPLIES = [
    (b"+OK\r\n", b"OK"),
    (b":-12\r\n", -12),
    (b"$0\r\n\r\n", b""),
    (b"$4\r\na\r\nb\r\n", b"a\r\nb"),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"_\r\n", None),
    (b"*0\r\n", []),
    (b"%0\r\n", {}),
    (b"#t\r\n", True),
    (b"#f\r\n", False),
    (b",1.5\r\n", 1.5),
    (b"(12345678901234567890\r\n", 12345678901234567890),
    (b"=7\r\ntxt:abc\r\n", b"abc"),
    (b"*2\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n*0\r\n", [[1, [b"x"]], []]),
    (b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*1\r\n_\r\n", {b"a": 1, b"b": [None]}),
    (b">2\r\n+push\r\n:1\r\n+OK\r\n", b"OK"),
    (b"|1\r\n+why\r\n:1\r\n*1\r\n:7\r\n", [7]),
    (b"*1\r\n*5\r\n:7\r\n_\r\n$3\r\nabc\r\n$4\r\nroom\r\n*0\r\n", [[7, None, b"abc", b"room", []]]),
]


def readers():
    yield PythonReader(ResponseError)
    if resp.hiredis is not None:
        yield resp.HiredisReader(ResponseError)


def everything(reader, chunks):
    found = []
    for chunk in chunks:
        reader.feed(chunk)
        while (reply := reader.gets()) is not MORE:
            found.append(reply)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_replies_cut_anywhere(size):
    stream = b"".join(words for words, _ in REPLIES)
    chunks = [stream[begin : begin + size] for begin in range(0, len(stream), size)]
    assert everything(PythonReader(ResponseError), chunks) == [reply for _, reply in REPLIES]


@pytest.mark.parametrize("words, reply", REPLIES)
def test_each_reply(words, reply):
    for reader in readers():
        if isinstance(reader, PythonReader) or words[:1] not in b"|(":  # not for hiredis
            assert everything(reader, [words]) == [reply]


@pytest.mark.parametrize("words", [b"-NOHELLO say it\r\n", b"!14\r\nNOHELLO say it\r\n"])
def test_an_error_is_returned(words):
    (error,) = everything(PythonReader(ResponseError), [words])
    assert isinstance(error, ResponseError)
    assert str(error) == "NOHELLO say it"


def test_a_large_reply_is_not_gone_through_at_every_chunk():
    reader = PythonReader(ResponseError)
    body = b"x" * 1_000_000
    reader.feed(b"*2\r\n$%d\r\n" % len(body))
    assert reader.gets() is MORE
    looks = []
    reader._next = lambda look=reader._next: looks.append(1) or look()
    for begin in range(0, len(body), 1000):
        reader.feed(body[begin : begin + 1000])
        assert reader.gets() is MORE
    assert not looks
    reader.feed(b"\r\n:1\r\n")
    assert reader.gets() == [body, 1]


def test_what_is_no_reply():
    with pytest.raises(InvalidResponse):
        everything(PythonReader(ResponseError), [b"HTTP/1.1 400\r\n"])


def test_commands():
    assert pack([("CH.ACK", "p", 12, "HELD", 0), ("X", b"\xff\r\n")]) == (
        b"*5\r\n$6\r\nCH.ACK\r\n$1\r\np\r\n$2\r\n12\r\n$4\r\nHELD\r\n$1\r\n0\r\n*2\r\n$1\r\nX\r\n$3\r\n\xff\r\n\r\n"
    )
