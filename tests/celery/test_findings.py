"""The doctor, with the illnesses made on purpose."""

from support import eventually


def findings(site, **query):
    return {each["id"]: each for each in site.api("/findings", **query)["items"]}


def find(site, name, seconds=20):
    found = eventually(lambda: findings(site).get(name), seconds, 0.25, message=f"no finding {name}")
    assert found["title"] and found["remedy"]
    return found


def test_a_healthy_broker_has_no_findings_of_note(environment, clients, workers, apps, site, journal):
    workers(environment, apps())
    clients(environment, apps()).send("lab.record", "fine")
    journal.wait_for(["fine"])
    eventually(lambda: site.unacked() == 0, 10)
    worse = [each for each in findings(site).values() if each["severity"] != "info"]
    assert not worse, worse


def test_differing_visibility_timeouts_are_named(environment, workers, apps, site):
    workers(environment, apps(visibility_timeout=50))
    odd = workers(environment, apps(visibility_timeout=30))
    found = find(site, "visibility-timeouts-differ")
    assert found["evidence"]["shortest_seconds"] == 30
    assert found["evidence"]["longest_seconds"] == 50
    assert odd.running


def test_an_eta_beyond_the_timeout_is_foreseen(environment, clients, workers, apps, site):
    options = apps(visibility_timeout=40)
    workers(environment, options)
    clients(environment, options).send("lab.record", "late", countdown=3600)
    eventually(lambda: site.unacked() == 1, 20)
    found = find(site, "eta-beyond-visibility-timeout")
    assert found["evidence"]["messages"] == 1
    assert found["evidence"]["visibility_timeout_seconds"] == 40


def test_what_redis_holds_and_how_it_is_set(environment, workers, apps, sites):
    site = sites()
    worker = workers(environment, apps(broker=site.broker, backend=site.backend))
    site.upstream("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    site.upstream("CONFIG", "SET", "maxmemory", "1gb")
    site.upstream("SET", "unacked_mutex", "stuck")
    assert find(site, "eviction-policy")["severity"] == "critical"
    find(site, "mutex-without-ttl")
    worker.kill_group()
    stale = find(site, "stale-pidbox", 40)
    assert stale["evidence"]["nodes"] == [worker.node]


def test_a_message_that_nothing_matches_is_a_silent_drop(environment, clients, apps, site):
    client = clients(environment, apps())
    # A direct exchange of which no queue is bound under this routing key.
    site.upstream("SADD", "_kombu.binding.news", "x\x06\x16\x06\x16x")
    client.send("lab.record", "lost", exchange="news", routing_key="y")
    assert site.depth("x") == 0
    found = find(site, "silent-drop")
    assert found["subject"] == "news"
    assert found["evidence"]["lost"] >= 1


def test_huge_messages_are_pointed_at(environment, clients, apps, site):
    client = clients(environment, apps())
    client.send("lab.record", "x" * (2 << 20))
    found = find(site, "huge-messages")
    assert found["subject"] == "celery"
    assert found["evidence"]["largest_bytes"] > 2 << 20
    assert found["evidence"]["tasks"][0]["task"] == "lab.record"
