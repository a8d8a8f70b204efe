"""Cache, channel layer and Celery of one Django project at work together, each on its db."""

import asyncio
import threading

import pytest
from channels_redis.core import RedisChannelLayer
from django.core.cache.backends.redis import RedisCache

from clients.celery_worker import CeleryService
from clients.stack import THREADS_BOTH

pytestmark = pytest.mark.parametrize("stack", THREADS_BOTH, indirect=True, ids=lambda n: f"threads{n}")
TASKS = 60


@pytest.fixture
def service(empty, tmp_path):
    running = CeleryService(empty, tmp_path)
    running.worker.wait_ready()
    yield running
    running.close()


async def announcements(url, joined):
    layer = RedisChannelLayer(hosts=[url], capacity=TASKS)
    channel = await layer.new_channel()
    await layer.group_add("dashboard", channel)
    joined.set()
    numbers = [(await layer.receive(channel))["number"] for _ in range(TASKS)]
    await layer.close_pools()
    return sorted(numbers)


def test_tasks_use_cache_and_channel_layer(service):
    cache = RedisCache(service.stack.cache_url, {})
    cache.set("announced", 0)
    joined, received = threading.Event(), []
    dashboard = threading.Thread(
        target=lambda: received.extend(asyncio.run(announcements(service.stack.channels_url, joined)))
    )
    dashboard.start()
    assert joined.wait(10)
    results = [service.send("announce", number) for number in range(TASKS)]
    assert [result.get(timeout=30) for result in results] == list(range(TASKS))
    dashboard.join(30)
    assert received == list(range(TASKS))
    assert cache.get("announced") == TASKS


def test_clearing_the_cache_leaves_the_queue_alone(service, tmp_path):
    cache = RedisCache(service.stack.cache_url, {})
    go = tmp_path / "go"
    results = [service.send("record_when", f"kept {number}", str(go)) for number in range(20)]
    for number in range(20):
        cache.set(f"page-{number}", number)
    cache.clear()
    assert service.stack.sizes()[0] == 0
    go.touch()
    assert [result.get(timeout=30) for result in results] == [f"kept {number}" for number in range(20)]
