"""What every service is told of its stores: PgBouncer alone, one db of Redis for each use."""

import pytest

from hdms_common import settings
from hdms_common.environment import Environment

NAMES = (
    "PGBOUNCER_HOST",
    "PGBOUNCER_PORT",
    "POSTGRES_DB",
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "DB_CONNECT_TIMEOUT",
)
URLS = ("CACHE_URL", "CHANNEL_LAYER_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
REDIS = ("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "CHANNEL_LAYER")


@pytest.fixture
def unset(monkeypatch):
    for name in (*NAMES, *URLS, *REDIS):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def database():
    return settings.database_settings(Environment())["DATABASES"]["default"]


def test_the_database_is_reached_through_pgbouncer_as_transaction_pooling_needs(unset):
    found = database()
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("pgbouncer", 6432, "hdms_db")
    assert found["DISABLE_SERVER_SIDE_CURSORS"] is True
    options = found["OPTIONS"]
    assert options["connect_timeout"] == 20
    assert options["prepare_threshold"] is None and options["server_side_binding"] is False
    # Transaction pooling drops start-up options: the statement timeout is a matter of the role.
    assert "options" not in options


def test_the_time_for_a_connection_is_a_matter_of_the_environment(unset):
    unset.setenv("DB_CONNECT_TIMEOUT", "7")
    assert database()["OPTIONS"]["connect_timeout"] == 7


def test_each_use_of_redis_has_its_db_and_results_are_not_in_the_caches(unset):
    env = Environment()
    broker = settings.broker_settings(env)
    assert settings.cache_settings(env)["CACHES"]["default"]["LOCATION"] == "redis://sidecar:6379/0"
    assert broker["CELERY_BROKER_URL"] == broker["CELERY_RESULT_BACKEND"] == "redis://sidecar:6379/2"
    layer = settings.channel_settings(env, "communication_service")["CHANNEL_LAYERS"]["default"]
    assert layer["BACKEND"] == "sidecar_channels.SidecarChannelLayer"
    assert layer["CONFIG"]["hosts"] == ["redis://sidecar:6379/1"]


def test_the_channel_layer_is_a_matter_of_the_environment(unset):
    unset.setenv("CHANNEL_LAYER", "channels_redis")
    layer = settings.channel_settings(Environment(), "communication_service")["CHANNEL_LAYERS"]["default"]
    assert layer["BACKEND"] == "channels_redis.core.RedisChannelLayer"
