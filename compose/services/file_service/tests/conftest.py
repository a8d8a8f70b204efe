import pytest


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


@pytest.fixture
def stored(media):
    """Names of the files there are."""

    def names():
        return sorted(path.name for path in media.rglob("*") if path.is_file())

    return names


@pytest.fixture
def queue():
    """The broker's queue, empty at the beginning and at the end."""
    import redis
    from django.conf import settings

    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        client.delete("celery")
        yield client
        client.delete("celery")
