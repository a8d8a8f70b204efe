import environ
import pytest

from hdms_common.environment import Environment, masked, with_password


@pytest.fixture
def env(monkeypatch):
    def make(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Environment()

    return make


def test_an_empty_variable_counts_as_unset(env):
    assert env(SOME_HOST="").optional("SOME_HOST", "there") == "there"
    assert env(SOME_PORT="").number("SOME_PORT", 5) == 5


def test_a_value_that_cannot_be_used_is_named(env):
    for call in (
        lambda: env(SOME_PORT="many").number("SOME_PORT", 5),
        lambda: env(SOME_PORT="-1").number("SOME_PORT", 5),
        lambda: env(SOME_FLAG="perhaps").flag("SOME_FLAG", False),
        lambda: env(SOME_CHOICE="third").choice("SOME_CHOICE", "first", "second"),
    ):
        with pytest.raises(environ.ImproperlyConfigured, match="SOME_"):
            call()


def test_a_redis_url_is_composed_of_its_parts(env):
    parts = env(REDIS_HOST="redis.example", REDIS_PORT="7000", REDIS_PASSWORD="p@ss/word", CACHE_URL="")
    assert parts.redis_url("CACHE_URL", 3) == "redis://:p%40ss%2Fword@redis.example:7000/3"


def test_a_password_is_not_put_into_a_url_that_has_one():
    assert with_password("redis://:own@there:1/0", "other") == "redis://:own@there:1/0"
    assert with_password("rediss://there:1/0?ssl_ca_certs=/tls/ca.crt", "p") == (
        "rediss://:p@there:1/0?ssl_ca_certs=/tls/ca.crt"
    )


def test_a_shown_url_has_no_password():
    assert masked("redis://:secret@there:1/0") == "redis://:***@there:1/0"
    assert masked("redis://ada:secret@there:1/0") == "redis://ada:***@there:1/0"
    assert masked("redis://there:1/0") == "redis://there:1/0"
