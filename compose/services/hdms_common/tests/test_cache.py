import time

import pytest
from django.core.cache import cache

from hdms_common import connections
from hdms_common.cache import ForgivingRedisCache
from hdms_common.cached import CachedAnswers

OPTIONS = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}


@pytest.fixture
def lost():
    """A cache at a port where nobody listens."""
    return ForgivingRedisCache("redis://127.0.0.1:1/0", {"OPTIONS": OPTIONS})


def test_reads_back_what_was_written_in_good_time():
    begin = time.monotonic()
    cache.set("ticket", {"title": "printer"}, 30)
    assert cache.get("ticket") == {"title": "printer"}
    assert time.monotonic() - begin < 0.1
    cache.delete("ticket")
    assert cache.get("ticket") is None


def test_a_lost_cache_is_full_of_misses(lost):
    lost.set("a", 1)
    assert lost.get("a") is None
    assert lost.get("a", "otherwise") == "otherwise"
    assert lost.get_many(["a", "b"]) == {}
    assert lost.get_or_set("a", lambda: 7) == 7
    assert lost.add("a", 1) is False
    assert lost.set_many({"a": 1, "b": 2}) == ["a", "b"]
    assert not lost.has_key("a") and not lost.touch("a") and not lost.delete("a") and not lost.clear()
    lost.delete_many(["a"])
    with pytest.raises(ValueError, match="not found"):
        lost.incr("a")


def test_a_lost_cache_is_asked_now_and_then_only(lost, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(connections.cache, "clock", lambda: now[0])
    lost.get("a")
    for _ in range(20):
        lost.get("a")
    assert connections.cache.failures == 1
    now[0] += 0.3
    lost.get("a")
    assert connections.cache.failures == 2


def test_our_own_mistakes_are_not_forgiven():
    cache.set("word", "text")
    with pytest.raises(Exception, match="not an integer"):
        cache.incr("word")


def test_a_change_makes_all_answers_old():
    answers = CachedAnswers("tests", 30)
    assert answers.get_or_make("q", lambda: 1) == (1, False)
    assert answers.get_or_make("q", lambda: 2) == (1, True)
    answers.begin_anew()
    assert answers.get_or_make("q", lambda: 3) == (3, False)


def test_an_answer_made_before_a_change_is_not_found_after_it():
    answers = CachedAnswers("tests", 30)

    def make_while_it_changes():
        answers.begin_anew()
        return "old"

    answers.get_or_make("q", make_while_it_changes)
    assert answers.get_or_make("q", lambda: "new") == ("new", False)


def test_a_change_that_the_cache_missed_is_told_later():
    answers = CachedAnswers("tests", 30)
    answers.get_or_make("q", lambda: "old")
    connections.cache.lost(ConnectionError("Connection refused"))
    connections.cache.next_try = float("inf")
    answers.begin_anew()
    assert answers.get_or_make("q", lambda: "new") == ("new", False)
    connections.cache.next_try = 0.0
    assert answers.get_or_make("q", lambda: "new") == ("new", False)
    assert answers.get_or_make("q", lambda: "newest") == ("new", True)
