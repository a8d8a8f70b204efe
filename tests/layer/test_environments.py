"""The suite itself: both environments are what they claim to be, and the sites can fail and come back."""

import json

import redis

from layer.environments import OLD_LIST, Environment
from support import eventually


def test_programs_run_with_the_releases_of_their_environment(environment, program):
    versions = json.loads(program(environment, "layer.whoami").finish(30))
    pinned = dict(line.split("==") for line in OLD_LIST.read_text().split())
    for name, version in versions.items():
        assert (version == pinned[name]) is (environment is Environment.debian12), (name, version)


def test_what_was_acknowledged_outlives_a_kill(site):
    with redis.Redis.from_url(site.url()) as client:
        client.set("kept", "yes")
        site.redis.kill()
        site.redis.start()
        eventually(lambda: site.sidecar.http("/readyz")[0] == 200, 10)
        assert client.get("kept") == b"yes"


def test_nodes_share_one_redis(two_nodes):
    with redis.Redis.from_url(two_nodes.url(0)) as one, redis.Redis.from_url(two_nodes.url(1)) as two:
        one.set("shared", "yes")
        assert two.get("shared") == b"yes"
    assert two_nodes.keys() == ["shared"]
